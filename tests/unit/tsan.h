/* SPDX-License-Identifier: Apache-2.0 */
/* tsan.h - TSAN is 1 under ThreadSanitizer, ASAN under AddressSanitizer, else 0. The
 * first makes loops a hundred times slower, and races show in few requests as well as
 * in many; the second makes plain C loops ten times slower. */
#ifndef AIM_TESTS_UNIT_TSAN_H
#define AIM_TESTS_UNIT_TSAN_H

#if defined(__SANITIZE_THREAD__)
#define TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN 1
#endif
#endif
#ifndef TSAN
#define TSAN 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN 1
#endif
#endif
#ifndef ASAN
#define ASAN 0
#endif

#endif
