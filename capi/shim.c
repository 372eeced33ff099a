/* shim.c - the functions of libsds.h.
 *
 * They are C functions, so that the compiler compares them with the header, and
 * so that what must not enter the Go runtime is refused before it: calls of a
 * forked child, calls from inside a hint provider or a persistence procedure, and
 * those of a thread that has left a callback without returning from it. */
#define _GNU_SOURCE /* pthread_getattr_np */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../persistence_callbacks/procedures.h"
#include "_cgo_export.h"
#include "bridge.h"

/* The longest string that is looked at: one byte more than the largest maxIdBytes
 * that a configuration can name, so that longer ones are still seen to be. */
#define LONGEST_STRING (((size_t)1 << 30) + 1)

static const char *const forkedText = "libsds error: used in a forked child process";
static const char *const leftText = "libsds error: a callback on this thread never returned: it was left by longjmp()";

static volatile int forked;

#ifndef _WIN32 /* which has no fork() */
static void afterFork(void) { forked = 1; }

__attribute__((constructor)) static void watchFork(void)
{
	pthread_atfork(NULL, NULL, afterFork);
}
#endif

void sdsInvoke(SdsReply reply, int status, const char *text, size_t size, uint64_t operation)
{
	SdsInside outer = sdsEnter(NULL, operation);

	((SdsCallBack)reply.function)(status, text, size, (void *)reply.userData);
	sdsInside = outer;
}

char *sdsAskHint(SdsReply provider, const char *id, size_t *size)
{
	SdsInside outer = sdsEnter("libsds error: called from inside a retrieval hint provider", 0);
	char *hint = NULL;

	*size = 0;
	((SdsRetrievalHintProvider)provider.function)(id, &hint, size, (void *)provider.userData);
	sdsInside = outer;
	return hint;
}

void sdsHandle(SdsReply handler, const SdsEvent *event, uint64_t operation)
{
	SdsInside outer = sdsEnter(NULL, operation);

	((SdsEventHandler)handler.function)(event, (void *)handler.userData);
	sdsInside = outer;
}

void sdsLog(SdsReply handler, int level, const char *line, size_t size)
{
	SdsInside outer = sdsEnter("libsds error: called from inside a log handler", 0);

	((SdsLogHandler)handler.function)(level, line, size, (void *)handler.userData);
	sdsInside = outer;
}

/* Whether a callback of this thread was left in another way than by returning: then
 * its frames in the library are lost, and with them what they had locked. Those who
 * call from inside a callback are further down the stack than it was called from. A
 * host may have several stacks for a thread, between which this says nothing. */
static int leftWithoutReturning(void)
{
#ifdef __linux__
	static _Thread_local int left;
	const char *here = __builtin_frame_address(0);
	pthread_attr_t attributes;
	void *lowest;
	size_t size;
	int found;

	if (left || sdsInside.frame == NULL || here < sdsInside.frame || pthread_getattr_np(pthread_self(), &attributes) != 0)
		return left;
	found = pthread_attr_getstack(&attributes, &lowest, &size) == 0;
	pthread_attr_destroy(&attributes);
	left = found && sdsInside.frame >= (const char *)lowest && here < (const char *)lowest + size;
	return left;
#else
	return 0;
#endif
}

/* Why a call cannot be let in, or NULL. */
static const char *refusal(void)
{
	if (forked)
		return forkedText;
	return leftWithoutReturning() ? leftText : sdsInside.refusal;
}

/* Whether a call is over before it began, and then with which status. */
static int isOver(SdsCallBack callback, void *userData, int *status)
{
	const char *text = refusal();

	if (text != NULL) {
		if (callback != NULL)
			callback(RET_ERR, text, strlen(text), userData);
		*status = RET_ERR;
		return 1;
	}
	*status = RET_MISSING_CALLBACK;
	return callback == NULL;
}

void sdsGiveText(char **output, const char *text, size_t size)
{
	if (output == NULL)
		return;
	*output = text == NULL ? NULL : malloc(size + 1);
	if (*output == NULL)
		return;
	memcpy(*output, text, size);
	(*output)[size] = '\0';
}

/* Whether a native call is over before it began, and then with which status.
 * missing names an output that is NULL. */
static int isRefused(const char *missing, char **error, int *status)
{
	const char *text = refusal();

	if (error != NULL)
		*error = NULL;
	*status = forked ? SDS_ERR_FORKED : SDS_ERR_INVALID_ARGUMENT;
	if (text == NULL)
		text = missing;
	if (text == NULL)
		return 0;
	sdsGiveText(error, text, strlen(text));
	return 1;
}

/* What isRefused wants to know of an output, which is cleared. */
static const char *clearPointer(void *output, const char *missing)
{
	void *nothing = NULL;

	if (output == NULL)
		return missing;
	memcpy(output, &nothing, sizeof nothing);
	return NULL;
}

static const char *clearBytes(SdsBytes output)
{
	if (output.size != NULL)
		*output.size = 0;
	if (clearPointer(output.data, "") != NULL)
		return "libsds error: the output message is NULL";
	return output.size == NULL ? "libsds error: the output messageLen is NULL" : NULL;
}

/* What an empty array points to is not looked at, and may be no pointer. */
static void *pointerTo(const void *data, size_t size) { return size == 0 ? NULL : (void *)(uintptr_t)data; }

static SdsReply replyOf(uintptr_t function, void *userData)
{
	SdsReply reply = {function, (uintptr_t)userData, sdsInside.operation};

	return reply;
}

static SdsReply replyTo(SdsCallBack callback, void *userData) { return replyOf((uintptr_t)callback, userData); }

static SdsText textOf(const char *data)
{
	SdsText text = {data, data == NULL ? 0 : strnlen(data, LONGEST_STRING)};

	return text;
}

/* The API of the replaced library. */

void *SdsNewReliabilityManager(SdsCallBack callback, void *userData)
{
	return SdsNewReliabilityManagerWithConfig(NULL, NULL, callback, userData);
}

void *SdsNewReliabilityManagerWithConfig(const char *participantId, const char *configJson, SdsCallBack callback,
					 void *userData)
{
	int status;

	if (isOver(callback, userData, &status))
		return NULL;
	return sdsGoOpen(textOf(participantId), textOf(configJson), replyTo(callback, userData));
}

void SdsSetEventCallback(void *ctx, SdsCallBack callback, void *userData)
{
	if (refusal() == NULL)
		sdsGoSetEventCallback((uintptr_t)ctx, replyTo(callback, userData));
}

void SdsSetRetrievalHintProvider(void *ctx, SdsRetrievalHintProvider callback, void *userData)
{
	if (refusal() == NULL)
		sdsGoSetHintProvider((uintptr_t)ctx, replyOf((uintptr_t)callback, userData));
}

int SdsCleanupReliabilityManager(void *ctx, SdsCallBack callback, void *userData)
{
	int status;

	if (isOver(callback, userData, &status))
		return status;
	return sdsGoCleanup((uintptr_t)ctx, replyTo(callback, userData));
}

int SdsResetReliabilityManager(void *ctx, SdsCallBack callback, void *userData)
{
	int status;

	if (isOver(callback, userData, &status))
		return status;
	return sdsGoReset((uintptr_t)ctx, replyTo(callback, userData));
}

int SdsWrapOutgoingMessage(void *ctx, void *message, size_t messageLen, const char *messageId, const char *channelId,
			   SdsCallBack callback, void *userData)
{
	int status;

	if (isOver(callback, userData, &status))
		return status;
	return sdsGoWrap((uintptr_t)ctx, pointerTo(message, messageLen), messageLen, textOf(messageId), textOf(channelId),
			 replyTo(callback, userData));
}

int SdsUnwrapReceivedMessage(void *ctx, void *message, size_t messageLen, SdsCallBack callback, void *userData)
{
	int status;

	if (isOver(callback, userData, &status))
		return status;
	return sdsGoUnwrap((uintptr_t)ctx, pointerTo(message, messageLen), messageLen, replyTo(callback, userData));
}

int SdsMarkDependenciesMet(void *ctx, char **messageIDs, size_t count, const char *channelId, SdsCallBack callback,
			   void *userData)
{
	int status;

	if (isOver(callback, userData, &status))
		return status;
	return sdsGoMarkMet((uintptr_t)ctx, pointerTo(messageIDs, count), count, textOf(channelId), replyTo(callback, userData));
}

int SdsStartPeriodicTasks(void *ctx, SdsCallBack callback, void *userData)
{
	int status;

	if (isOver(callback, userData, &status))
		return status;
	return sdsGoStart((uintptr_t)ctx, replyTo(callback, userData));
}

int SdsRemoveChannel(void *ctx, const char *channelId, SdsCallBack callback, void *userData)
{
	int status;

	if (isOver(callback, userData, &status))
		return status;
	return sdsGoRemoveChannel((uintptr_t)ctx, textOf(channelId), replyTo(callback, userData));
}

/* The native API. */

const char *SdsVersion(void) { return SDS_VERSION; }

uint32_t SdsAbiVersion(void) { return SDS_ABI_VERSION; }

const char *SdsStatusString(int status)
{
	switch (status) {
	case SDS_OK:
		return "done";
	case SDS_ERR:
		return "the call was not carried out";
	case SDS_ERR_MISSING_CALLBACK:
		return "the callback is missing";
	case SDS_ERR_INVALID_ARGUMENT:
		return "invalid argument";
	case SDS_ERR_OUT_OF_MEMORY:
		return "out of memory";
	case SDS_ERR_INTERNAL:
		return "internal error";
	case SDS_ERR_SERIALIZATION:
		return "a message cannot be encoded";
	case SDS_ERR_DESERIALIZATION:
		return "not an SDS message";
	case SDS_ERR_MESSAGE_TOO_LARGE:
		return "message too large";
	case SDS_ERR_PERSISTENCE:
		return "persistence failed";
	case SDS_ERR_LIMIT_EXCEEDED:
		return "limit exceeded";
	case SDS_ERR_INVALID_CONTEXT:
		return "invalid context";
	case SDS_ERR_FORKED:
		return "used in a forked child process";
	}
	return "unknown status";
}

void SdsFree(void *p) { free(p); }

#define END_OF(member) (offsetof(SdsOptions, member) + sizeof(((SdsOptions *)0)->member))

/* Copies what the host's options have of what this library knows; the rest is 0. */
static void readOptions(const SdsOptions *host, SdsOptions *options)
{
	size_t size = host == NULL ? 0 : host->size;

	memset(options, 0, sizeof *options);
#define READ(member)                                                                                                   \
	do {                                                                                                           \
		if (END_OF(member) <= size)                                                                            \
			options->member = host->member;                                                                \
	} while (0)
	READ(participantId);
	READ(configJson);
	READ(persistence);
	READ(persistenceUserData);
	READ(eventHandler);
	READ(eventUserData);
	READ(hintProvider);
	READ(hintUserData);
#undef READ
}

int SdsOpen(const SdsOptions *options, void **ctx, char **error)
{
	SdsOptions host;
	SdsOptionsRead read;
	uintptr_t address = 0;
	int status;
	const char *missing = clearPointer(ctx, "libsds error: the output ctx is NULL");

	if (missing == NULL && options != NULL && options->size < END_OF(size))
		missing = "libsds error: the size of SdsOptions is not set: it should be sizeof(SdsOptions)";
	if (isRefused(missing, error, &status))
		return status;
	readOptions(options, &host);
	read.participantId = textOf(host.participantId);
	read.configJson = textOf(host.configJson);
	read.persistence = (void *)(uintptr_t)host.persistence;
	read.persistenceUserData = (uintptr_t)host.persistenceUserData;
	read.eventHandler = replyOf((uintptr_t)host.eventHandler, host.eventUserData);
	read.hintProvider = replyOf((uintptr_t)host.hintProvider, host.hintUserData);
	status = sdsGoOpenNative(read, &address, error);
	*ctx = (void *)address;
	return status;
}

int SdsClose(void *ctx)
{
	int status;

	return isRefused(NULL, NULL, &status) ? status : sdsGoClose((uintptr_t)ctx, sdsInside.operation);
}

int SdsSetEventHandler(void *ctx, SdsEventHandler handler, void *userData)
{
	int status;

	if (isRefused(NULL, NULL, &status))
		return status;
	return sdsGoSetEventHandler((uintptr_t)ctx, replyOf((uintptr_t)handler, userData));
}

int SdsWrap(void *ctx, const char *channelId, const char *messageId, const void *content, size_t contentLen,
	    uint8_t **message, size_t *messageLen, char **error)
{
	SdsBytes output = {message, messageLen};
	int status;

	if (isRefused(clearBytes(output), error, &status))
		return status;
	return sdsGoWrapNative((uintptr_t)ctx, textOf(channelId), textOf(messageId), pointerTo(content, contentLen),
			       contentLen, output, sdsInside.operation, error);
}

int SdsWrapSync(void *ctx, const char *channelId, uint8_t **message, size_t *messageLen, char **error)
{
	SdsBytes output = {message, messageLen};
	int status;

	if (isRefused(clearBytes(output), error, &status))
		return status;
	return sdsGoWrapSync((uintptr_t)ctx, textOf(channelId), output, sdsInside.operation, error);
}

int SdsWrapEphemeral(void *ctx, const char *channelId, const char *messageId, const void *content, size_t contentLen,
		     uint8_t **message, size_t *messageLen, char **error)
{
	SdsBytes output = {message, messageLen};
	int status;

	if (isRefused(clearBytes(output), error, &status))
		return status;
	return sdsGoWrapEphemeral((uintptr_t)ctx, textOf(channelId), textOf(messageId), pointerTo(content, contentLen),
				  contentLen, output, sdsInside.operation, error);
}

int SdsUnwrap(void *ctx, const void *message, size_t messageLen, SdsUnwrapped **result, char **error)
{
	int status;

	if (isRefused(clearPointer(result, "libsds error: the output result is NULL"), error, &status))
		return status;
	return sdsGoUnwrapNative((uintptr_t)ctx, pointerTo(message, messageLen), messageLen, result, sdsInside.operation,
				 error);
}

int SdsMarkMet(void *ctx, const char *channelId, const char *const *messageIds, size_t count, char **error)
{
	int status;

	if (isRefused(NULL, error, &status))
		return status;
	return sdsGoMarkMetNative((uintptr_t)ctx, textOf(channelId), pointerTo(messageIds, count), count,
				  sdsInside.operation, error);
}

int SdsEnsureChannel(void *ctx, const char *channelId, char **error)
{
	int status;

	if (isRefused(NULL, error, &status))
		return status;
	return sdsGoEnsureChannel((uintptr_t)ctx, textOf(channelId), sdsInside.operation, error);
}

int SdsDropChannel(void *ctx, const char *channelId, char **error)
{
	int status;

	if (isRefused(NULL, error, &status))
		return status;
	return sdsGoDropChannel((uintptr_t)ctx, textOf(channelId), sdsInside.operation, error);
}

int SdsReset(void *ctx, char **error)
{
	int status;

	if (isRefused(NULL, error, &status))
		return status;
	return sdsGoResetNative((uintptr_t)ctx, sdsInside.operation, error);
}

int SdsStart(void *ctx, char **error)
{
	int status;

	if (isRefused(NULL, error, &status))
		return status;
	return sdsGoStartNative((uintptr_t)ctx, sdsInside.operation, error);
}

int SdsTick(void *ctx, int64_t nowUnixMs, int64_t *nextUnixMs, char **error)
{
	int64_t next = 0;
	int status;

	if (!isRefused(NULL, error, &status))
		status = sdsGoTick((uintptr_t)ctx, nowUnixMs, &next, sdsInside.operation, error);
	if (nextUnixMs != NULL)
		*nextUnixMs = next;
	return status;
}

static const char noJson[] = "libsds error: the output json is NULL";

int SdsChannels(void *ctx, char **json, char **error)
{
	int status;

	if (isRefused(clearPointer(json, noJson), error, &status))
		return status;
	return sdsGoChannels((uintptr_t)ctx, json, sdsInside.operation, error);
}

int SdsInspect(void *ctx, const char *channelId, char **json, char **error)
{
	int status;

	if (isRefused(clearPointer(json, noJson), error, &status))
		return status;
	return sdsGoInspect((uintptr_t)ctx, textOf(channelId), json, sdsInside.operation, error);
}

int SdsStats(void *ctx, char **json, char **error)
{
	int status;

	if (isRefused(clearPointer(json, noJson), error, &status))
		return status;
	return sdsGoStats((uintptr_t)ctx, json, sdsInside.operation, error);
}

int SdsSetLogHandler(SdsLogHandler handler, int level, void *userData)
{
	int status;

	if (isRefused(NULL, NULL, &status))
		return status;
	return sdsGoSetLogHandler(replyOf((uintptr_t)handler, userData), level);
}

int SdsSetPersistence(void *ctx, const SdsPersistence *persistence, void *userData, char **error)
{
	int status;

	if (isRefused(NULL, error, &status))
		return status;
	return sdsGoSetPersistence((uintptr_t)ctx, (void *)(uintptr_t)persistence, (uintptr_t)userData, sdsInside.operation,
				   error);
}

/* What follows is for the inside of procedures. A forked child cannot say
 * anything more there; it has to end. */

void SdsLoadMeta(SdsCall *call, const uint8_t *meta, size_t metaLen)
{
	if (!forked)
		sdsGoLoadMeta((uintptr_t)call, pointerTo(meta, metaLen), metaLen);
}

void SdsLoadMessage(SdsCall *call, const uint8_t *message, size_t messageLen)
{
	if (!forked)
		sdsGoLoadMessage((uintptr_t)call, pointerTo(message, messageLen), messageLen);
}

void SdsLoadHint(SdsCall *call, const char *messageId, const uint8_t *hint, size_t hintLen)
{
	if (!forked)
		sdsGoLoadHint((uintptr_t)call, textOf(messageId), pointerTo(hint, hintLen), hintLen);
}

void SdsFail(SdsCall *call, const char *reason)
{
	if (!forked)
		sdsGoFail((uintptr_t)call, textOf(reason));
}
