/* procedures.h - how Go calls the procedures of a host.
 *
 * As in capi/bridge.h, values that only the host understands (functions, user
 * data, calls) cross as integers. */
#ifndef SDS_PROCEDURES_H
#define SDS_PROCEDURES_H

#include <stddef.h>
#include <stdint.h>

#include "../include/libsds.h"

/* Which function of the host this thread is inside, if any. */
typedef struct {
	/* Why this thread cannot call the library: what it is inside of runs while a
	 * channel is locked. NULL: it can. */
	const char *refusal;
	/* The operation that called the function; 0: none, or it does not matter. */
	uint64_t operation;
	/* The frame that called the function; NULL: it is inside none. */
	const char *frame;
} SdsInside;

extern _Thread_local SdsInside sdsInside;

/* Notes that this thread is about to be inside a function of the host that is called
 * from this frame. Returns what sdsInside has to be again after that. */
static inline __attribute__((always_inline)) SdsInside sdsEnter(const char *refusal, uint64_t operation)
{
	SdsInside outer = sdsInside;

	sdsInside.refusal = refusal;
	sdsInside.operation = operation;
	sdsInside.frame = __builtin_frame_address(0);
	return outer;
}

/* The table of a host; 0 where it has no procedure. */
typedef struct {
	uintptr_t saveChannelMeta;
	uintptr_t updateHistory;
	uintptr_t loadChannel;
	uintptr_t dropChannel;
	uintptr_t setRetrievalHint;
	uintptr_t commit;
	uintptr_t userData;
} SdsProcedures;

/* The size of the smallest table there ever was. */
size_t sdsLeastTable(void);

/* Copies what the host's table has of what this library knows, and returns the
 * size that it says it has. */
uint32_t sdsReadTable(const SdsPersistence *host, SdsProcedures *procedures);

/* A change of the log, in C memory. */
typedef struct {
	const SdsHistoryRecord *append;
	size_t appendCount;
	const char *const *evict;
	size_t evictCount;
} SdsHistory;

/* A block of memory for the host or for the time of a call, or NULL. The first tables
 * bytes, where pointers are going to be, are 0: when Go writes a pointer, its collector
 * may look at the one that was there before. */
void *sdsAllocateBlock(size_t tables, size_t size);

/* What names calls: a call has an address in here, at which nothing is. */
#define SDS_CALLS (1 << 20)
extern char sdsCalls[SDS_CALLS];

/* Each calls one procedure, which must be there, and returns what it returns.
 * While it runs, this thread cannot call the library. */
int sdsSaveChannelMeta(const SdsProcedures *host, uintptr_t call, const char *channelId, const uint8_t *meta,
		       size_t metaLen);
int sdsUpdateHistory(const SdsProcedures *host, uintptr_t call, const char *channelId, SdsHistory history);
int sdsLoadChannel(const SdsProcedures *host, uintptr_t call, const char *channelId);
int sdsDropChannel(const SdsProcedures *host, uintptr_t call, const char *channelId);
int sdsSetRetrievalHint(const SdsProcedures *host, uintptr_t call, const char *channelId, const char *messageId,
			const uint8_t *hint, size_t hintLen);
int sdsCommit(const SdsProcedures *host, uintptr_t call, const char *channelId, const uint8_t *meta, size_t metaLen,
	      SdsHistory history);

#endif
