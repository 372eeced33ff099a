/*
 * participant.h: the contexts: one for each way of keeping channels. Threads share
 * them, while now and then one is closed and opened again, or loses its memory.
 */
#ifndef PARTICIPANT_H
#define PARTICIPANT_H

#include "channel.h"

/* participants_begin opens all of them, with their files in a folder; 0 when that fails. */
int participants_begin(const char *folder);
void participants_end(void);

/* participant_enter returns the context of a participant, which stays open until participant_leave. */
void *participant_enter(int participant);
void participant_leave(int participant);

/* participant_keeps tells whether anything is kept of one. */
int participant_keeps(int participant);

/* participant_restart closes and opens one, which goes on from what is kept of it; one that keeps nothing begins
 * a new life. participant_reset has it forget everything. */
void participant_restart(int participant);
void participant_reset(int participant);

/* participants_tick runs what is due for the one that has no timer of the library's. */
void participants_tick(void);

/* participant_name is for messages about it. */
const char *participant_name(int participant);

#endif
