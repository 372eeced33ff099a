/*
 * matrix_attempt.h: one call of one function with one misuse: the world that it
 * happens in, what is passed when nothing is wrong, and the ways to make the call.
 */
#ifndef MATRIX_ATTEMPT_H
#define MATRIX_ATTEMPT_H

#include "matrix_functions.h"

enum { MOST_THREADS = 64, DEFAULT_MOST_ID = 1024, DEFAULT_MOST_CONTENT = 1 << 20, DEFAULT_MOST_WIRE = 8 << 20 };

struct attempt {
    const struct function *function;
    struct arguments arguments;
    struct outcome outcome;
    /* What the other threads got, where there are some. */
    struct outcome others[MOST_THREADS];
    int other_count;
    /* The context of the call, made for it. */
    void *ctx;
    int is_closed;
    /* How often the call was made, and something was made to happen. */
    int made, events;
    /* How the call is made from inside the procedures of ctx; NULL: it is not. */
    void (*in_load)(struct attempt *attempt), (*in_drop)(struct attempt *attempt);
    /* Every procedure of ctx that does nothing else fails. */
    int fails;
    /* What the procedure was passed that is running, for the functions that take it. */
    SdsCall *live;
    int takes_live;
};

/* The smallest message: id "m", lamport 1, channel "c", content "x". */
static const unsigned char smallest[] = {0x0a, 1, 'm', 0x10, 1, 0x22, 1, 'c', 0x2a, 1, 'x'};

/* ---- procedures ---------------------------------------------------------------- */

/* What a context without anything wrong had its procedures keep. */
static struct bytes kept_meta, kept_message;
/* A call whose procedure has returned: the first there was. */
static SdsCall *finished;

static int failure(const struct attempt *attempt) { return attempt != NULL && attempt->fails ? 7 : 0; }

static int save_meta(SdsCall *call, const char *channel, const uint8_t *meta, size_t length, void *userData)
{
    (void)call;
    (void)channel;
    if (kept_meta.data == NULL) {
        kept_meta.data = malloc(length);
        kept_meta.length = length;
        memcpy(kept_meta.data, meta, length);
    }
    return failure(userData);
}

static int save_history(SdsCall *call, const char *channel, const SdsHistoryRecord *append, size_t append_count,
                        const char *const *evict, size_t evict_count, void *userData)
{
    (void)call;
    (void)channel;
    (void)evict;
    (void)evict_count;
    if (kept_message.data == NULL && append_count > 0) {
        kept_message.data = malloc(append->messageLen);
        kept_message.length = append->messageLen;
        memcpy(kept_message.data, append->message, append->messageLen);
    }
    return failure(userData);
}

/* Only SdsFail needs a procedure that fails: it is not heard of otherwise. */
static int run_inside(struct attempt *attempt, SdsCall *call, void (**act)(struct attempt *attempt))
{
    void (*once)(struct attempt *attempt) = attempt != NULL ? *act : NULL;

    if (once == NULL) {
        if (finished == NULL)
            finished = call;
        return failure(attempt);
    }
    *act = NULL;
    attempt->live = call;
    once(attempt);
    attempt->live = NULL;
    return attempt->function->takes & REASON ? 1 : 0;
}

static int load(SdsCall *call, const char *channel, void *userData)
{
    struct attempt *attempt = userData;

    (void)channel;
    return run_inside(attempt, call, attempt != NULL ? &attempt->in_load : NULL);
}

static int drop(SdsCall *call, const char *channel, void *userData)
{
    struct attempt *attempt = userData;

    (void)channel;
    return run_inside(attempt, call, attempt != NULL ? &attempt->in_drop : NULL);
}

static int save_all(SdsCall *call, const char *channel, const uint8_t *meta, size_t meta_length,
                    const SdsHistoryRecord *append, size_t append_count, const char *const *evict, size_t evict_count,
                    void *userData)
{
    (void)meta;
    (void)meta_length;
    return save_history(call, channel, append, append_count, evict, evict_count, userData);
}

static const SdsPersistence procedures = {
    sizeof(SdsPersistence), save_meta, save_history, load, drop, NULL, NULL,
};

/* ---- the world ------------------------------------------------------------------ */

static struct {
    void *closed;         /* a context */
    void *heap;           /* memory of the host */
    SdsUnwrapped *result; /* memory of the library: what SdsUnwrap gave, and SdsWrap */
    uint8_t *message;
    size_t message_length;
    char *long_id;      /* one byte more than an id may have */
    char *mebibyte;     /* a string */
    char *payload;      /* one byte more than a payload may have */
    const char **names; /* one more than can be marked */
} world;

enum { MOST_NAMES = 1000000 };

/* A context whose procedures see the attempt. */
static void *open_attempted(struct attempt *attempt, const char *config)
{
    SdsOptions options = {0};
    void *ctx = NULL;

    options.size = sizeof options;
    options.participantId = "alice";
    options.configJson = config;
    options.persistence = &procedures;
    options.persistenceUserData = attempt;
    EXPECT_NUMBER(SdsOpen(&options, &ctx, NULL), SDS_OK);
    return ctx;
}

static char *string_of(char letter, size_t length)
{
    char *text = calloc(1, length + 1);

    if (text == NULL)
        abort();
    memset(text, letter, length);
    return text;
}

static void make_world(void)
{
    size_t i;

    world.closed = open_attempted(NULL, NULL);
    EXPECT_NUMBER(SdsWrap(world.closed, "channel", "m1", "x", 1, &world.message, &world.message_length, NULL), SDS_OK);
    EXPECT_NUMBER(SdsUnwrap(world.closed, smallest, sizeof smallest, &world.result, NULL), SDS_OK);
    EXPECT_NUMBER(SdsClose(world.closed), SDS_OK);
    EXPECT(finished != NULL && kept_meta.length > 0 && kept_message.length > 0);
    world.heap = calloc(1, 64);
    world.long_id = string_of('i', DEFAULT_MOST_ID + 1);
    world.mebibyte = string_of('j', 1 << 20);
    world.payload = calloc(1, DEFAULT_MOST_WIRE + 1);
    world.names = calloc(MOST_NAMES + 1, sizeof *world.names);
    for (i = 0; i <= MOST_NAMES; i++)
        world.names[i] = "m";
}

static void end_world(void)
{
    SdsFree(world.message);
    SdsFree(world.result);
    free(world.heap);
    free(world.long_id);
    free(world.mebibyte);
    free(world.payload);
    free(world.names);
    free(kept_meta.data);
    free(kept_message.data);
}

/* ---- an attempt ------------------------------------------------------------------ */

/* Something to free. */
static void *memory_of_the_library(void *ctx)
{
    uint8_t *message = NULL;
    size_t length;

    EXPECT_NUMBER(SdsWrapSync(ctx, "memory", &message, &length, NULL), SDS_OK);
    return message;
}

static const struct outcome no_outcome = {GARBAGE_NUMBER, GARBAGE, GARBAGE_NUMBER, GARBAGE_NUMBER, GARBAGE, {0}};

static const char *two_names[] = {"m1", "m2"};

/* Nothing is wrong with the arguments of a new attempt in a context. */
static void begin_attempt_in(struct attempt *attempt, const struct function *function, void *ctx)
{
    struct arguments *a = &attempt->arguments;
    struct timespec now;

    memset(attempt, 0, sizeof *attempt);
    attempt->function = function;
    attempt->outcome = no_outcome;
    attempt->ctx = ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    a->handle = ctx;
    a->channel = "channel";
    a->message = "operation";
    a->participant = "bob";
    a->config = "{}";
    a->reason = "the host's words";
    a->bytes = "content";
    a->length = 7;
    a->ids = two_names;
    a->count = 2;
    a->options_size = sizeof(SdsOptions);
    a->persistence = &procedures;
    a->callback = take_answer;
    a->now = (int64_t)now.tv_sec * 1000;
    if (function->takes & PAYLOAD) {
        a->bytes = smallest;
        a->length = sizeof smallest;
    }
    if (function->takes & KEPT) {
        struct bytes kept = function->call == call_SdsLoadMessage ? kept_message : kept_meta;

        a->bytes = kept.data;
        a->length = kept.length;
    }
    if (function->takes & CALL) {
        a->handle = finished;
        attempt->takes_live = 1;
    }
}

/* The same in a context of its own. */
static void begin_attempt(struct attempt *attempt, const struct function *function)
{
    void *ctx = open_attempted(attempt, NULL);

    begin_attempt_in(attempt, function, ctx);
    if (!function->is_first)
        EXPECT_NUMBER(SdsEnsureChannel(ctx, "channel", NULL), SDS_OK);
    if (function->takes & MEMORY)
        attempt->arguments.memory = memory_of_the_library(ctx);
}

/* What a call gave is freed once, with SdsFree or by closing it. */
static void free_outcome(const struct attempt *attempt, struct outcome *outcome)
{
    const struct function *function = attempt->function;
    int has_output = outcome->output != NULL && outcome->output != GARBAGE;

    if (has_output && function->family == CONSTRUCTOR)
        EXPECT_NUMBER(cleanup(outcome->output).returned, RET_OK);
    else if (has_output && function->takes & OPTIONS)
        EXPECT_NUMBER(SdsClose(outcome->output), SDS_OK);
    else if (has_output)
        SdsFree(outcome->output);
    if (outcome->error != GARBAGE)
        SdsFree(outcome->error);
}

#endif
