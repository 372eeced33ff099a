/* failure.h: what was not as promised. */
#ifndef FAILURE_H
#define FAILURE_H

/* failure notes one and says what it was, the first twenty times. Any thread may call it. */
__attribute__((format(printf, 1, 2))) void failure(const char *format, ...);

/* failure_count returns how many there were. */
int failure_count(void);

#endif
