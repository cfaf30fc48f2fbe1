/* SPDX-License-Identifier: Apache-2.0 */
/* The socket a listener accepts on. */
#include "server/http_private.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 511 };

static struct addrinfo *resolve(const char *address, int port, aim_error *err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    int rc = getaddrinfo(address, service, &hints, &found);
    if (rc != 0) {
        aim_fail(err, AIM_EINVAL, "%s:%d: %s", address, port, gai_strerror(rc));
        return NULL;
    }
    return found;
}

/* "::" must not take the IPv4 port too: whoever wants both says so twice, and
 * an address check then means what it says. */
static int bind_and_listen(int fd, const struct addrinfo *a)
{
    const int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        return -1;
    if (a->ai_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
        return -1;
    if (bind(fd, a->ai_addr, a->ai_addrlen) < 0)
        return -1;
    return listen(fd, BACKLOG);
}

int aimd__listen(const char *address, int port, aim_error *err)
{
    struct addrinfo *a = resolve(address, port, err);
    if (!a)
        return -1;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind_and_listen(fd, a) < 0) {
        aim_fail(err, AIM_EIO, "%s:%d: %s", address, port, strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(a);
    return fd;
}

int aimd__check_listening(int fd, aim_error *err)
{
    int listening = 0, flags;
    socklen_t len = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0)
        return aim_fail(err, AIM_EIO, "socket %d: %s", fd, strerror(errno));
    if (!listening)
        return aim_fail(err, AIM_EINVAL, "socket %d does not listen", fd);
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return aim_fail(err, AIM_EIO, "socket %d: %s", fd, strerror(errno));
    return AIM_OK;
}

int aimd__socket_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_storage room;
    } a;
    socklen_t len = sizeof a;
    if (fd < 0 || getsockname(fd, &a.any, &len) < 0)
        return 0;
    if (a.any.sa_family == AF_INET)
        return ntohs(a.v4.sin_port);
    return a.any.sa_family == AF_INET6 ? ntohs(a.v6.sin6_port) : 0;
}
