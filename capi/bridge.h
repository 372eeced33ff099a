/* bridge.h - what the C half and the Go half of this package say to each other.
 *
 * Values that only the host understands (contexts, functions, user data) cross
 * as integers: Go's runtime takes every pointer that it sees for one that must
 * point somewhere. */
#ifndef SDS_BRIDGE_H
#define SDS_BRIDGE_H

#include <stddef.h>
#include <stdint.h>

#include "../include/libsds.h"

/* A host's function with its user data, and the operation from inside whose
 * callback the call at hand was made (0: none). */
typedef struct {
	uintptr_t function;
	uintptr_t userData;
	uint64_t inside;
} SdsReply;

/* A string of the host; data is NULL where the host passed NULL. */
typedef struct {
	const char *data;
	size_t size;
} SdsText;

/* What a host made its context of, as far as it told; each text and function may be
 * missing, and persistence is NULL where there is none. */
typedef struct {
	SdsText participantId;
	SdsText configJson;
	void *persistence;
	uintptr_t persistenceUserData;
	SdsReply eventHandler;
	SdsReply hintProvider;
} SdsOptionsRead;

/* Where the host wants a payload. */
typedef struct {
	uint8_t **data;
	size_t *size;
} SdsBytes;

/* Calls reply.function on this thread. Calls that the host makes from inside
 * are told that they come from operation. */
void sdsInvoke(SdsReply reply, int status, const char *text, size_t size, uint64_t operation);

/* The same for an event handler. */
void sdsHandle(SdsReply handler, const SdsEvent *event, uint64_t operation);

/* Hands a line to the log handler. While it runs, this thread cannot call the
 * library. */
void sdsLog(SdsReply handler, int level, const char *line, size_t size);

/* Asks a hint provider for the hint of the message id, which ends with a NUL.
 * What it returns is the caller's to free. While it runs, this thread cannot
 * call the library. */
char *sdsAskHint(SdsReply provider, const char *id, size_t *size);

/* Where output is not NULL, gives the host a copy of the text to free, or NULL
 * where the text is NULL or there is no memory. */
void sdsGiveText(char **output, const char *text, size_t size);

/* Memory for one result, or NULL. sdsShrink gives back what lies beyond size and
 * returns where the result is now. sdsRetain keeps it readable for as long as
 * hosts may read it and frees it then. */
char *sdsAllocate(size_t size);
char *sdsShrink(char *block, size_t size);
void sdsRetain(char *block);
/* Frees what need not be readable any longer. Returns the milliseconds until it
 * is worth calling again, or -1 when nothing is retained. */
int64_t sdsSweepRetained(void);

/* Gives the host back the signals that the Go runtime took, if it has taken them
 * and they were not given back yet. */
void sdsGiveSignalsBack(void);

/* Keeps the address of a context reachable from C, so that leak checkers see that it is
 * not lost. The room for that is asked for before: NULL without memory. */
typedef struct SdsRemembered SdsRemembered;
SdsRemembered *sdsRoomToRemember(void);
void sdsRemember(SdsRemembered *room, void *address);

#endif
