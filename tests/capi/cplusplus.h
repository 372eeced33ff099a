/*
 * cplusplus.h: what only C++ can do, for hosts in C.
 */
#ifndef CPLUSPLUS_H
#define CPLUSPLUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* throw_exception throws one. */
void throw_exception(void);

/* catches runs a step, and tells whether it threw. */
int catches(void (*step)(void *argument), void *argument);

/* at_destruction has a step run by the destructor of a static object, after the functions of atexit(). */
void at_destruction(void (*step)(void));

#ifdef __cplusplus
}
#endif

#endif
