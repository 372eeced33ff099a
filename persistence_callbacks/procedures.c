/* procedures.c - how Go calls the procedures of a host. */
#include <stdlib.h>
#include <string.h>

#include "procedures.h"

_Thread_local SdsInside sdsInside;

char sdsCalls[SDS_CALLS];

#define END_OF(member) (offsetof(SdsPersistence, member) + sizeof(((SdsPersistence *)0)->member))

size_t sdsLeastTable(void) { return END_OF(dropChannel); }

uint32_t sdsReadTable(const SdsPersistence *host, SdsProcedures *procedures)
{
	SdsPersistence known = {0};
	size_t size = host->size;

	memcpy(&known, host, size < sizeof known ? size : sizeof known);
#define READ(member) procedures->member = END_OF(member) <= size ? (uintptr_t)known.member : 0
	READ(saveChannelMeta);
	READ(updateHistory);
	READ(loadChannel);
	READ(dropChannel);
	READ(setRetrievalHint);
	READ(commit);
#undef READ
	return host->size;
}

void *sdsAllocateBlock(size_t tables, size_t size)
{
	void *block = malloc(size);

	return block == NULL ? NULL : memset(block, 0, tables);
}

static inline __attribute__((always_inline)) SdsInside enter(void)
{
	return sdsEnter("libsds error: called from inside a persistence procedure", 0);
}

/* The type of a procedure: one by one, since those of SdsPersistence have no names. */
typedef int (*SaveChannelMeta)(SdsCall *, const char *, const uint8_t *, size_t, void *);
typedef int (*UpdateHistory)(SdsCall *, const char *, const SdsHistoryRecord *, size_t, const char *const *, size_t,
			     void *);
typedef int (*OnChannel)(SdsCall *, const char *, void *);
typedef int (*SetRetrievalHint)(SdsCall *, const char *, const char *, const uint8_t *, size_t, void *);
typedef int (*Commit)(SdsCall *, const char *, const uint8_t *, size_t, const SdsHistoryRecord *, size_t,
		      const char *const *, size_t, void *);

int sdsSaveChannelMeta(const SdsProcedures *host, uintptr_t call, const char *channelId, const uint8_t *meta,
		       size_t metaLen)
{
	SdsInside outer = enter();
	int returned = ((SaveChannelMeta)host->saveChannelMeta)((SdsCall *)call, channelId, meta, metaLen,
								(void *)host->userData);

	sdsInside = outer;
	return returned;
}

int sdsUpdateHistory(const SdsProcedures *host, uintptr_t call, const char *channelId, SdsHistory history)
{
	SdsInside outer = enter();
	int returned = ((UpdateHistory)host->updateHistory)((SdsCall *)call, channelId, history.append, history.appendCount,
							    history.evict, history.evictCount, (void *)host->userData);

	sdsInside = outer;
	return returned;
}

int sdsLoadChannel(const SdsProcedures *host, uintptr_t call, const char *channelId)
{
	SdsInside outer = enter();
	int returned = ((OnChannel)host->loadChannel)((SdsCall *)call, channelId, (void *)host->userData);

	sdsInside = outer;
	return returned;
}

int sdsDropChannel(const SdsProcedures *host, uintptr_t call, const char *channelId)
{
	SdsInside outer = enter();
	int returned = ((OnChannel)host->dropChannel)((SdsCall *)call, channelId, (void *)host->userData);

	sdsInside = outer;
	return returned;
}

int sdsSetRetrievalHint(const SdsProcedures *host, uintptr_t call, const char *channelId, const char *messageId,
			const uint8_t *hint, size_t hintLen)
{
	SdsInside outer = enter();
	int returned = ((SetRetrievalHint)host->setRetrievalHint)((SdsCall *)call, channelId, messageId, hint, hintLen,
								  (void *)host->userData);

	sdsInside = outer;
	return returned;
}

int sdsCommit(const SdsProcedures *host, uintptr_t call, const char *channelId, const uint8_t *meta, size_t metaLen,
	      SdsHistory history)
{
	SdsInside outer = enter();
	int returned = ((Commit)host->commit)((SdsCall *)call, channelId, meta, metaLen, history.append, history.appendCount,
					      history.evict, history.evictCount, (void *)host->userData);

	sdsInside = outer;
	return returned;
}
