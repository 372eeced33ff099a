/*
 * matrix_functions.h: every exported function as a row: what it takes, what kind
 * of result it has, and how to call it with a vector of arguments.
 */
#ifndef MATRIX_FUNCTIONS_H
#define MATRIX_FUNCTIONS_H

#include "host.h"

#include <stdint.h>

/* What a function takes; a misuse is of one or several of these. */
enum parameter {
    CONTEXT = 1 << 0,
    CALL = 1 << 1, /* an SdsCall */
    CHANNEL = 1 << 2,
    MESSAGE = 1 << 3, /* the id of one */
    CONTENT = 1 << 4, /* with its length, as are the next two */
    PAYLOAD = 1 << 5,
    KEPT = 1 << 6, /* what a procedure hands over */
    IDS = 1 << 7,  /* with their count */
    OPTIONS = 1 << 8,
    PARTICIPANT = 1 << 9, /* also within options, as is the next one */
    CONFIG = 1 << 10,
    PROCEDURES = 1 << 11, /* also within options */
    OUTPUT = 1 << 12,
    OUTPUT_LENGTH = 1 << 13,
    NEXT = 1 << 14, /* an output that may be NULL */
    EXPLANATION = 1 << 15,
    RESULT = 1 << 16,   /* a result callback */
    RECEIVER = 1 << 17, /* a handler, a callback of events or a provider */
    TIME = 1 << 18,
    REASON = 1 << 19,
    STATUS = 1 << 20,
    MEMORY = 1 << 21
};

/* How a function says what became of the call. */
enum family {
    NATIVE,      /* it returns an SdsStatus */
    CALLBACK,    /* a result callback gets it */
    CONSTRUCTOR, /* so, and it returns a context */
    SETTER,      /* not at all: one hears from what was set, or not */
    HELPER,      /* not at all: the procedure from inside which it was called fails, or not */
    ANYWHERE     /* it cannot fail */
};

/* What outputs hold before a call. */
#define GARBAGE ((void *)(uintptr_t)0x5d5d5d50)
enum { GARBAGE_NUMBER = 0x5d5d };

struct arguments {
    void *handle; /* the context or the call */
    const char *channel, *message, *participant, *config, *reason;
    const void *bytes;
    size_t length;
    const char **ids;
    size_t count;
    const SdsOptions *options; /* NULL: made of the size and of participant, config and persistence */
    uint32_t options_size;
    int no_options;
    const SdsPersistence *persistence;
    int no_output, no_output_length, no_next, no_error, no_receiver;
    SdsCallBack callback;
    int64_t now;
    int status;
    void *memory;
};

struct outcome {
    int status;
    void *output;
    size_t output_length;
    int64_t next;
    char *error;
    struct answer answer;
};

/* How often those were called that functions set. */
static atomic_int received;

static void receive_event(const SdsEvent *event, void *userData)
{
    (void)event;
    (void)userData;
    atomic_fetch_add(&received, 1);
}

static void receive_line(int level, const char *line, size_t length, void *userData)
{
    (void)level;
    (void)line;
    (void)length;
    (void)userData;
    atomic_fetch_add(&received, 1);
}

static void receive_question(const char *id, char **hint, size_t *length, void *userData)
{
    (void)id;
    (void)hint;
    (void)length;
    (void)userData;
    atomic_fetch_add(&received, 1);
}

struct function {
    const char *name;
    enum family family;
    unsigned takes;
    void (*call)(const struct arguments *a, struct outcome *o);
    int ends;     /* it ends its context */
    int is_first; /* it is meant for a context without channels */
    const char *request;
};

#define CALLS(name) static void call_##name(const struct arguments *a, struct outcome *o)
#define ERROR_OF(o) (a->no_error ? NULL : &(o)->error)
#define LENGTH_OF(o) (a->no_output_length ? NULL : &(o)->output_length)

CALLS(SdsVersion) { (void)a; o->status = strcmp(SdsVersion(), SDS_VERSION) == 0; }
CALLS(SdsAbiVersion) { (void)a; o->status = SdsAbiVersion() == SDS_ABI_VERSION; }
CALLS(SdsStatusString) { o->status = strlen(SdsStatusString(a->status)) > 3; }
CALLS(SdsFree) { SdsFree(a->memory); o->status = 1; }

CALLS(SdsOpen)
{
    SdsOptions made = {0};
    const SdsOptions *options = a->options != NULL ? a->options : &made;

    made.size = a->options_size;
    made.participantId = a->participant;
    made.configJson = a->config;
    made.persistence = a->persistence;
    o->status = SdsOpen(a->no_options ? NULL : options, a->no_output ? NULL : &o->output, ERROR_OF(o));
}

CALLS(SdsClose) { o->status = SdsClose(a->handle); }

CALLS(SdsSetEventHandler)
{
    o->status = SdsSetEventHandler(a->handle, a->no_receiver ? NULL : receive_event, NULL);
}

CALLS(SdsWrap)
{
    uint8_t *message = o->output;

    o->status = SdsWrap(a->handle, a->channel, a->message, a->bytes, a->length, a->no_output ? NULL : &message,
                        LENGTH_OF(o), ERROR_OF(o));
    o->output = message;
}

CALLS(SdsWrapSync)
{
    uint8_t *message = o->output;

    o->status = SdsWrapSync(a->handle, a->channel, a->no_output ? NULL : &message, LENGTH_OF(o), ERROR_OF(o));
    o->output = message;
}

CALLS(SdsWrapEphemeral)
{
    uint8_t *message = o->output;

    o->status = SdsWrapEphemeral(a->handle, a->channel, a->message, a->bytes, a->length,
                                 a->no_output ? NULL : &message, LENGTH_OF(o), ERROR_OF(o));
    o->output = message;
}

CALLS(SdsUnwrap)
{
    SdsUnwrapped *result = o->output;

    o->status = SdsUnwrap(a->handle, a->bytes, a->length, a->no_output ? NULL : &result, ERROR_OF(o));
    o->output = result;
}

CALLS(SdsMarkMet) { o->status = SdsMarkMet(a->handle, a->channel, a->ids, a->count, ERROR_OF(o)); }
CALLS(SdsEnsureChannel) { o->status = SdsEnsureChannel(a->handle, a->channel, ERROR_OF(o)); }
CALLS(SdsDropChannel) { o->status = SdsDropChannel(a->handle, a->channel, ERROR_OF(o)); }
CALLS(SdsReset) { o->status = SdsReset(a->handle, ERROR_OF(o)); }
CALLS(SdsStart) { o->status = SdsStart(a->handle, ERROR_OF(o)); }
CALLS(SdsTick) { o->status = SdsTick(a->handle, a->now, a->no_next ? NULL : &o->next, ERROR_OF(o)); }

CALLS(SdsChannels)
{
    char *json = o->output;

    o->status = SdsChannels(a->handle, a->no_output ? NULL : &json, ERROR_OF(o));
    o->output = json;
}

CALLS(SdsInspect)
{
    char *json = o->output;

    o->status = SdsInspect(a->handle, a->channel, a->no_output ? NULL : &json, ERROR_OF(o));
    o->output = json;
}

CALLS(SdsStats)
{
    char *json = o->output;

    o->status = SdsStats(a->handle, a->no_output ? NULL : &json, ERROR_OF(o));
    o->output = json;
}

CALLS(SdsSetLogHandler) { o->status = SdsSetLogHandler(a->no_receiver ? NULL : receive_line, -4, NULL); }

CALLS(SdsSetPersistence) { o->status = SdsSetPersistence(a->handle, a->persistence, NULL, ERROR_OF(o)); }

CALLS(SdsLoadMeta)
{
    (void)o;
    SdsLoadMeta(a->handle, a->bytes, a->length);
}

CALLS(SdsLoadMessage)
{
    (void)o;
    SdsLoadMessage(a->handle, a->bytes, a->length);
}

CALLS(SdsLoadHint)
{
    (void)o;
    SdsLoadHint(a->handle, a->message, a->bytes, a->length);
}

CALLS(SdsFail)
{
    (void)o;
    SdsFail(a->handle, a->reason);
}

CALLS(SdsNewReliabilityManager) { o->output = SdsNewReliabilityManager(a->callback, &o->answer); }

CALLS(SdsNewReliabilityManagerWithConfig)
{
    o->output = SdsNewReliabilityManagerWithConfig(a->participant, a->config, a->callback, &o->answer);
}

CALLS(SdsSetEventCallback)
{
    (void)o;
    SdsSetEventCallback(a->handle, a->no_receiver ? NULL : count_calls, &received);
}

CALLS(SdsSetRetrievalHintProvider)
{
    (void)o;
    SdsSetRetrievalHintProvider(a->handle, a->no_receiver ? NULL : receive_question, NULL);
}

CALLS(SdsCleanupReliabilityManager)
{
    o->status = SdsCleanupReliabilityManager(a->handle, a->callback, &o->answer);
}

CALLS(SdsResetReliabilityManager) { o->status = SdsResetReliabilityManager(a->handle, a->callback, &o->answer); }

CALLS(SdsWrapOutgoingMessage)
{
    o->status = SdsWrapOutgoingMessage(a->handle, (void *)(uintptr_t)a->bytes, a->length, a->message, a->channel,
                                       a->callback, &o->answer);
}

CALLS(SdsUnwrapReceivedMessage)
{
    o->status = SdsUnwrapReceivedMessage(a->handle, (void *)(uintptr_t)a->bytes, a->length, a->callback, &o->answer);
}

CALLS(SdsMarkDependenciesMet)
{
    o->status = SdsMarkDependenciesMet(a->handle, (char **)(uintptr_t)a->ids, a->count, a->channel, a->callback,
                                       &o->answer);
}

CALLS(SdsStartPeriodicTasks) { o->status = SdsStartPeriodicTasks(a->handle, a->callback, &o->answer); }
CALLS(SdsRemoveChannel) { o->status = SdsRemoveChannel(a->handle, a->channel, a->callback, &o->answer); }

#define ROW(name, family, takes, ...) {#name, family, takes, call_##name, __VA_ARGS__}
enum {
    SENDS = CONTEXT | CHANNEL | OUTPUT | OUTPUT_LENGTH | EXPLANATION,
    TELLS = CONTEXT | OUTPUT | EXPLANATION,
    ANSWERS = CONTEXT | RESULT
};

/* In the order of the header. */
static const struct function functions[] = {
    ROW(SdsVersion, ANYWHERE, 0, 0, 0, NULL),
    ROW(SdsAbiVersion, ANYWHERE, 0, 0, 0, NULL),
    ROW(SdsStatusString, ANYWHERE, STATUS, 0, 0, NULL),
    ROW(SdsFree, ANYWHERE, MEMORY, 0, 0, NULL),
    ROW(SdsOpen, NATIVE, OPTIONS | PARTICIPANT | CONFIG | PROCEDURES | OUTPUT | EXPLANATION, 0, 0, NULL),
    ROW(SdsClose, NATIVE, CONTEXT, 1, 0, NULL),
    ROW(SdsSetEventHandler, NATIVE, CONTEXT | RECEIVER, 0, 0, NULL),
    ROW(SdsWrap, NATIVE, SENDS | MESSAGE | CONTENT, 0, 0, NULL),
    ROW(SdsWrapSync, NATIVE, SENDS, 0, 0, NULL),
    ROW(SdsWrapEphemeral, NATIVE, SENDS | MESSAGE | CONTENT, 0, 0, NULL),
    ROW(SdsUnwrap, NATIVE, TELLS | PAYLOAD, 0, 0, NULL),
    ROW(SdsMarkMet, NATIVE, CONTEXT | CHANNEL | IDS | EXPLANATION, 0, 0, NULL),
    ROW(SdsEnsureChannel, NATIVE, CONTEXT | CHANNEL | EXPLANATION, 0, 0, NULL),
    ROW(SdsDropChannel, NATIVE, CONTEXT | CHANNEL | EXPLANATION, 0, 0, NULL),
    ROW(SdsReset, NATIVE, CONTEXT | EXPLANATION, 0, 0, NULL),
    ROW(SdsStart, NATIVE, CONTEXT | EXPLANATION, 0, 0, NULL),
    ROW(SdsTick, NATIVE, CONTEXT | TIME | NEXT | EXPLANATION, 0, 0, NULL),
    ROW(SdsChannels, NATIVE, TELLS, 0, 0, NULL),
    ROW(SdsInspect, NATIVE, TELLS | CHANNEL, 0, 0, NULL),
    ROW(SdsStats, NATIVE, TELLS, 0, 0, NULL),
    ROW(SdsSetLogHandler, NATIVE, RECEIVER, 0, 0, NULL),
    ROW(SdsLoadMeta, HELPER, CALL | KEPT, 0, 0, NULL),
    ROW(SdsLoadMessage, HELPER, CALL | KEPT, 0, 0, NULL),
    ROW(SdsLoadHint, HELPER, CALL | MESSAGE | KEPT, 0, 0, NULL),
    ROW(SdsFail, HELPER, CALL | REASON, 0, 0, NULL),
    ROW(SdsSetPersistence, NATIVE, CONTEXT | PROCEDURES | EXPLANATION, 0, 1, NULL),
    ROW(SdsNewReliabilityManager, CONSTRUCTOR, RESULT, 0, 0, NULL),
    ROW(SdsNewReliabilityManagerWithConfig, CONSTRUCTOR, PARTICIPANT | CONFIG | RESULT, 0, 0, NULL),
    ROW(SdsSetEventCallback, SETTER, CONTEXT | RECEIVER, 0, 0, NULL),
    ROW(SdsSetRetrievalHintProvider, SETTER, CONTEXT | RECEIVER, 0, 0, NULL),
    ROW(SdsCleanupReliabilityManager, CALLBACK, ANSWERS, 1, 0, NULL),
    ROW(SdsResetReliabilityManager, CALLBACK, ANSWERS, 0, 0, "RESET_RELIABILITY_MANAGER"),
    ROW(SdsWrapOutgoingMessage, CALLBACK, ANSWERS | CHANNEL | MESSAGE | CONTENT, 0, 0, "WRAP_MESSAGE"),
    ROW(SdsUnwrapReceivedMessage, CALLBACK, ANSWERS | PAYLOAD, 0, 0, "UNWRAP_MESSAGE"),
    ROW(SdsMarkDependenciesMet, CALLBACK, ANSWERS | CHANNEL | IDS, 0, 0, "MARK_DEPENDENCIES_MET"),
    ROW(SdsStartPeriodicTasks, CALLBACK, ANSWERS, 0, 0, "START_PERIODIC_TASKS"),
    ROW(SdsRemoveChannel, CALLBACK, ANSWERS | CHANNEL, 0, 0, "REMOVE_CHANNEL"),
};
enum { FUNCTIONS = sizeof functions / sizeof functions[0] };

#endif
