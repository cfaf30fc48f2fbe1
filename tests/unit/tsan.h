/* SPDX-License-Identifier: Apache-2.0 */
/* tsan.h - TSAN is 1 under ThreadSanitizer, else 0: it makes loops a hundred times
 * slower, and races show in few requests as well as in many. */
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

#endif
