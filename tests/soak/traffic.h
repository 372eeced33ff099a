/* traffic.h: the threads, each of which drives some of the channels. */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include <stdint.h>

enum { THREADS = 8 };

/* traffic_begin starts the threads. */
void traffic_begin(uint64_t seed);

/* traffic_stop has every channel end its generation, and traffic_is_over tells when all of them are checked. Until
 * then participants need their time. */
void traffic_stop(void);
int traffic_is_over(void);

/* traffic_end waits for the threads. */
void traffic_end(void);

/* traffic_operations returns how many calls of the library the threads have made. */
long long traffic_operations(void);

#endif
