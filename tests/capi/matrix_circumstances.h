/*
 * matrix_circumstances.h: where and how often a call is made. Each of these
 * functions makes the call of an attempt, and sees to it that it was made.
 */
#ifndef MATRIX_CIRCUMSTANCES_H
#define MATRIX_CIRCUMSTANCES_H

#include "matrix_attempt.h"

#include <sys/wait.h>

/* Makes the call, here and now. */
static void make(struct attempt *attempt)
{
    if (attempt->takes_live && attempt->live != NULL)
        attempt->arguments.handle = attempt->live;
    attempt->made++;
    attempt->function->call(&attempt->arguments, &attempt->outcome);
}

static void make_once(struct attempt *attempt)
{
    if (attempt->made == 0)
        make(attempt);
}

static void make_twice(struct attempt *attempt)
{
    make(attempt);
    free_outcome(attempt, &attempt->outcome);
    attempt->outcome = no_outcome;
    make(attempt);
    attempt->made = 1;
}

/* ---- 64 threads ------------------------------------------------------------------- */

struct thread {
    struct attempt *attempt;
    struct arguments arguments;
    struct outcome *outcome;
    pthread_barrier_t *together;
};

static void *make_on_a_thread(void *argument)
{
    struct thread *thread = argument;

    pthread_barrier_wait(thread->together);
    thread->attempt->function->call(&thread->arguments, thread->outcome);
    return NULL;
}

static int thread_count(void)
{
    int count = scaled(MOST_THREADS);

    return count < 4 ? 4 : count;
}

static void make_on_threads(struct attempt *attempt)
{
    struct thread threads[MOST_THREADS];
    pthread_t ids[MOST_THREADS];
    pthread_barrier_t together;
    int count = thread_count(), i;

    if (attempt->takes_live)
        attempt->arguments.handle = attempt->live;
    pthread_barrier_init(&together, NULL, (unsigned)count);
    for (i = 0; i < count; i++) {
        attempt->others[i] = no_outcome;
        threads[i].attempt = attempt;
        threads[i].arguments = attempt->arguments;
        threads[i].outcome = &attempt->others[i];
        threads[i].together = &together;
        if (attempt->function->takes & MEMORY && i > 0)
            threads[i].arguments.memory = memory_of_the_library(attempt->ctx);
        EXPECT_NUMBER(pthread_create(&ids[i], NULL, make_on_a_thread, &threads[i]), 0);
    }
    for (i = 0; i < count; i++)
        pthread_join(ids[i], NULL);
    pthread_barrier_destroy(&together);
    /* Of these two it is not the call that tells. */
    if (attempt->function->family != HELPER && attempt->function->family != SETTER)
        attempt->other_count = count;
    attempt->made = 1;
}

/* ---- straight on: from inside loadChannel where the function is for that ------------ */

static void load_a_channel(struct attempt *attempt, void (*act)(struct attempt *attempt))
{
    int status;
    char *error = NULL;

    attempt->in_load = act;
    status = SdsEnsureChannel(attempt->ctx, "loaded", &error);
    EXPECT(attempt->in_load == NULL);
    if (attempt->function->family == HELPER) {
        attempt->outcome.status = status;
        attempt->outcome.error = error;
    } else {
        EXPECT_NUMBER(status, SDS_OK);
        SdsFree(error);
    }
}

static void perform(struct attempt *attempt, void (*act)(struct attempt *attempt))
{
    if (attempt->function->family == HELPER)
        load_a_channel(attempt, act);
    else
        act(attempt);
}

static void straight_on(struct attempt *attempt) { perform(attempt, make); }
static void twice_in_a_row(struct attempt *attempt) { perform(attempt, make_twice); }
static void on_threads_at_once(struct attempt *attempt) { perform(attempt, make_on_threads); }

/* ---- from inside ------------------------------------------------------------------- */

/* Something happens in the context: whoever gets its events is called. Each time it is another message. */
static void cause_an_event(struct attempt *attempt)
{
    unsigned char message[sizeof smallest];
    SdsUnwrapped *result = NULL;

    memcpy(message, smallest, sizeof message);
    message[2] = (unsigned char)('A' + attempt->events++);
    EXPECT_NUMBER(SdsUnwrap(attempt->ctx, message, sizeof message, &result, NULL), SDS_OK);
    SdsFree(result);
}

static void handle_and_make(const SdsEvent *event, void *userData)
{
    (void)event;
    make_once(userData);
}

static void inside_an_event_handler(struct attempt *attempt)
{
    EXPECT_NUMBER(SdsSetEventHandler(attempt->ctx, handle_and_make, attempt), SDS_OK);
    cause_an_event(attempt);
}

static void called_back_and_make(int code, const char *text, size_t length, void *userData)
{
    (void)code;
    (void)text;
    (void)length;
    make_once(userData);
}

static void inside_an_event_callback(struct attempt *attempt)
{
    SdsSetEventCallback(attempt->ctx, called_back_and_make, attempt);
    cause_an_event(attempt);
}

static void inside_a_result_callback(struct attempt *attempt)
{
    unsigned char message[sizeof smallest];

    memcpy(message, smallest, sizeof message);
    EXPECT_NUMBER(SdsUnwrapReceivedMessage(attempt->ctx, message, sizeof message, called_back_and_make, attempt),
                  RET_OK);
}

static void asked_and_make(const char *id, char **hint, size_t *length, void *userData)
{
    (void)id;
    (void)hint;
    (void)length;
    make_once(userData);
}

/* A message is cited, and so asked about, by the next one. */
static void cause_a_question(struct attempt *attempt)
{
    int i;

    for (i = 0; i < 2; i++) {
        uint8_t *message = NULL;
        size_t length;

        EXPECT_NUMBER(SdsWrap(attempt->ctx, "asked", i == 0 ? "a1" : "a2", "x", 1, &message, &length, NULL), SDS_OK);
        SdsFree(message);
    }
}

static void inside_a_hint_provider(struct attempt *attempt)
{
    SdsSetRetrievalHintProvider(attempt->ctx, asked_and_make, attempt);
    cause_a_question(attempt);
    SdsSetRetrievalHintProvider(attempt->ctx, NULL, NULL);
}

static void inside_a_procedure(struct attempt *attempt) { load_a_channel(attempt, make); }

static void inside_another_procedure(struct attempt *attempt)
{
    attempt->in_drop = make;
    attempt->outcome.error = NULL;
    attempt->outcome.status = SdsDropChannel(attempt->ctx, "channel", &attempt->outcome.error);
}

static void logged_and_make(int level, const char *line, size_t length, void *userData)
{
    (void)level;
    (void)line;
    (void)length;
    make_once(userData);
}

/* A history that is larger than the filter is worth a warning. */
static void inside_a_log_handler(struct attempt *attempt)
{
    SdsOptions options = {0};
    void *ctx = NULL;

    options.size = sizeof options;
    options.configJson = "{\"maxMessageHistory\":20,\"bloomFilterCapacity\":10}";
    EXPECT_NUMBER(SdsSetLogHandler(logged_and_make, -4, attempt), SDS_OK);
    EXPECT_NUMBER(SdsOpen(&options, &ctx, NULL), SDS_OK);
    EXPECT_NUMBER(SdsSetLogHandler(NULL, 0, NULL), SDS_OK);
    EXPECT_NUMBER(SdsClose(ctx), SDS_OK);
}

/* ---- after ------------------------------------------------------------------------- */

static void handle_and_close_first(const SdsEvent *event, void *userData)
{
    struct attempt *attempt = userData;

    (void)event;
    if (!attempt->is_closed)
        EXPECT_NUMBER(SdsClose(attempt->ctx), SDS_OK);
    attempt->is_closed = 1;
    make_once(attempt);
}

static void after_its_handler_closed_it(struct attempt *attempt)
{
    EXPECT_NUMBER(SdsSetEventHandler(attempt->ctx, handle_and_close_first, attempt), SDS_OK);
    cause_an_event(attempt);
}

static void result_and_close_first(int code, const char *text, size_t length, void *userData)
{
    struct attempt *attempt = userData;

    (void)code;
    (void)text;
    (void)length;
    EXPECT_NUMBER(SdsClose(attempt->ctx), SDS_OK);
    attempt->is_closed = 1;
    make_once(attempt);
}

static void after_a_result_callback_closed_it(struct attempt *attempt)
{
    unsigned char message[sizeof smallest];

    memcpy(message, smallest, sizeof message);
    EXPECT_NUMBER(SdsUnwrapReceivedMessage(attempt->ctx, message, sizeof message, result_and_close_first, attempt),
                  RET_OK);
}

static void after_start(struct attempt *attempt)
{
    EXPECT_NUMBER(SdsStart(attempt->ctx, NULL), SDS_OK);
    perform(attempt, make);
}

static void after_tick(struct attempt *attempt)
{
    EXPECT_NUMBER(SdsTick(attempt->ctx, attempt->arguments.now, NULL, NULL), SDS_OK);
    perform(attempt, make);
}

static void after_the_first_channel(struct attempt *attempt)
{
    EXPECT_NUMBER(SdsEnsureChannel(attempt->ctx, "first", NULL), SDS_OK);
    perform(attempt, make);
}

/* ---- in another context ------------------------------------------------------------- */

static void in_another_context(struct attempt *attempt, void *ctx)
{
    EXPECT_NUMBER(SdsClose(attempt->ctx), SDS_OK);
    attempt->ctx = attempt->arguments.handle = ctx;
}

/* One of the replaced library's constructors. */
static void of_the_other_api(struct attempt *attempt)
{
    in_another_context(attempt, open_context("alice", NULL));
    if (!attempt->function->is_first)
        EXPECT_NUMBER(SdsEnsureChannel(attempt->ctx, "channel", NULL), SDS_OK);
    make(attempt);
}

static void in_a_full_context(struct attempt *attempt, const char *config)
{
    uint8_t *message = NULL;
    size_t length;

    in_another_context(attempt, open_attempted(attempt, config));
    EXPECT_NUMBER(SdsWrap(attempt->ctx, "channel", "m1", "x", 1, &message, &length, NULL), SDS_OK);
    SdsFree(message);
    make(attempt);
    EXPECT_NUMBER(SdsReset(attempt->ctx, NULL), SDS_OK);
}

static void with_the_most_channels(struct attempt *attempt)
{
    attempt->arguments.channel = "one more";
    in_a_full_context(attempt, "{\"maxChannels\":1}");
}

static void with_the_most_messages(struct attempt *attempt)
{
    in_a_full_context(attempt, "{\"maxOutgoingMessages\":1}");
}

static void among_strangers(struct attempt *attempt)
{
    in_another_context(attempt, open_attempted(attempt, "{\"acceptUnknownChannels\":false}"));
    EXPECT_NUMBER(SdsEnsureChannel(attempt->ctx, "channel", NULL), SDS_OK);
    make(attempt);
}

/* ---- where procedures fail ------------------------------------------------------------ */

static void where_procedures_fail(struct attempt *attempt)
{
    attempt->fails = 1;
    make(attempt);
    attempt->fails = 0;
}

static void where_loading_fails(struct attempt *attempt)
{
    attempt->arguments.channel = "another";
    where_procedures_fail(attempt);
}

/* ---- in a child --------------------------------------------------------------------- */

static void in_a_forked_child(struct attempt *attempt) { make(attempt); }

#endif
