/* shim.c - the functions of libsds.h.
 *
 * They are C functions, so that the compiler compares them with the header, and
 * so that what must not enter the Go runtime is refused before it: calls of a
 * forked child, and calls from inside a hint provider or a persistence procedure. */
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

static volatile int forked;
static _Thread_local uint64_t insideOperation;

static void afterFork(void) { forked = 1; }

__attribute__((constructor)) static void watchFork(void)
{
	pthread_atfork(NULL, NULL, afterFork);
}

void sdsInvoke(SdsReply reply, int status, const char *text, size_t size, uint64_t operation)
{
	uint64_t outer = insideOperation;

	insideOperation = operation;
	((SdsCallBack)reply.function)(status, text, size, (void *)reply.userData);
	insideOperation = outer;
}

char *sdsAskHint(SdsReply provider, const char *id, size_t *size)
{
	const char *outer = sdsInside;
	char *hint = NULL;

	*size = 0;
	sdsInside = "libsds error: called from inside a retrieval hint provider";
	((SdsRetrievalHintProvider)provider.function)(id, &hint, size, (void *)provider.userData);
	sdsInside = outer;
	return hint;
}

/* Why a call cannot be let in, or NULL. */
static const char *refusal(void)
{
	return forked ? forkedText : sdsInside;
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

void sdsExplain(char **error, const char *text, size_t size)
{
	if (error == NULL)
		return;
	*error = text == NULL ? NULL : malloc(size + 1);
	if (*error == NULL)
		return;
	memcpy(*error, text, size);
	(*error)[size] = '\0';
}

/* What an empty array points to is not looked at, and may be no pointer. */
static void *pointerTo(const void *data, size_t size) { return size == 0 ? NULL : (void *)(uintptr_t)data; }

static SdsReply replyTo(SdsCallBack callback, void *userData)
{
	SdsReply reply = {(uintptr_t)callback, (uintptr_t)userData, insideOperation};

	return reply;
}

static SdsText textOf(const char *data)
{
	SdsText text = {data, data == NULL ? 0 : strnlen(data, LONGEST_STRING)};

	return text;
}

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
	SdsReply provider = {(uintptr_t)callback, (uintptr_t)userData, insideOperation};

	if (refusal() == NULL)
		sdsGoSetHintProvider((uintptr_t)ctx, provider);
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

void SdsFree(void *p) { free(p); }

int SdsSetPersistence(void *ctx, const SdsPersistence *persistence, void *userData, char **error)
{
	const char *text = refusal();

	sdsExplain(error, text, text == NULL ? 0 : strlen(text));
	if (text != NULL)
		return forked ? SDS_ERR_FORKED : SDS_ERR_INVALID_ARGUMENT;
	return sdsGoSetPersistence((uintptr_t)ctx, (void *)(uintptr_t)persistence, (uintptr_t)userData, insideOperation,
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
