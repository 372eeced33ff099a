/*
 * Callbacks that do not return. The header forbids it; this is what comes of it. An
 * exception ends the process at once. longjmp() is noticed by the next call of its
 * thread, which is refused and says why, as are all others after it. Other threads
 * and other contexts go on, but for those who wait for what was left. A jump from a
 * callback into one further out ends the process when that one returns.
 *
 * Each part runs in a process of its own, and reports to stderr what is wrong.
 */
#include "alone.h"
#include "cplusplus.h"
#include "native.h"

#include <setjmp.h>

static const char config[] = "{" SMALL_FILTER ",\"syncMessageIntervalMs\":1}";

/* How a callback is left, once it is armed. */
static _Thread_local void (*leave)(void);

static void left(void)
{
    void (*how)(void) = leave;

    leave = NULL;
    if (how != NULL)
        how();
}

static void on_event(const SdsEvent *event, void *userData)
{
    (void)event;
    (void)userData;
    left();
}

static void on_json(int code, const char *json, size_t length, void *userData)
{
    (void)code;
    (void)json;
    (void)length;
    (void)userData;
    left();
}

static void on_result(int code, const char *text, size_t length, void *userData)
{
    (void)code;
    (void)text;
    (void)length;
    (void)userData;
    left();
}

static void give_hint(const char *messageId, char **hint, size_t *hintLen, void *userData)
{
    (void)messageId;
    (void)hint;
    (void)hintLen;
    (void)userData;
    left();
}

static void on_line(int level, const char *line, size_t length, void *userData)
{
    (void)level;
    (void)line;
    (void)length;
    (void)userData;
    left();
}

static int load(SdsCall *call, const char *channel, void *userData)
{
    (void)call;
    (void)channel;
    (void)userData;
    left();
    return 0;
}

static int commit(SdsCall *call, const char *channel, const uint8_t *meta, size_t metaLen,
                  const SdsHistoryRecord *append, size_t appendCount, const char *const *evict, size_t evictCount,
                  void *userData)
{
    (void)meta;
    (void)metaLen;
    (void)append;
    (void)appendCount;
    (void)evict;
    (void)evictCount;
    return load(call, channel, userData);
}

/* The context whose callbacks are left, and one that is left in peace. */
static void *ctx, *other;

static struct bytes from_other;

static void prepare(void)
{
    SdsPersistence procedures = {0};
    SdsOptions options = {0};
    char *error = NULL;

    procedures.size = sizeof procedures;
    procedures.loadChannel = load;
    procedures.dropChannel = load;
    procedures.commit = commit;
    options.size = sizeof options;
    options.participantId = "alice";
    options.configJson = config;
    options.persistence = &procedures;
    options.eventHandler = on_event;
    options.hintProvider = give_hint;
    if (SdsOpen(&options, &ctx, &error) != SDS_OK)
        _exit(120);
    other = open_native("bob", config, NULL);
    from_other = wrap_native(other, "c", "b1", "hello");
    wrap_native(ctx, "c", "a0", "first");
}

/* What has each kind of callback called. */
static void call_for_event(void) { receive(ctx, from_other); }

static void call_for_json(void)
{
    SdsSetEventCallback(ctx, on_json, NULL);
    receive(ctx, from_other);
}

static void call_for_result(void) { SdsResetReliabilityManager(other, on_result, NULL); }

static void call_for_hint(void) { wrap_native(ctx, "c", "a1", "hello"); }

static void call_for_commit(void) { wrap_native(ctx, "c", "a2", "hello"); }

static void call_for_load(void)
{
    char *error = NULL;

    SdsEnsureChannel(ctx, "another", &error);
}

static void call_for_line(void)
{
    SdsSetLogHandler(on_line, -4, NULL);
    SdsDropChannel(other, "nowhere", NULL);
}

static const struct kind {
    const char *name;
    void (*call)(void);
} kinds[] = {
    {"an event handler", call_for_event},
    {"an event callback", call_for_json},
    {"a result callback", call_for_result},
    {"a hint provider", call_for_hint},
    {"a persistence procedure", call_for_commit},
    {"loadChannel", call_for_load},
    {"a log handler", call_for_line},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* ---- exceptions ------------------------------------------------------------------ */

static void call_with_exception(void *kind)
{
    leave = throw_exception;
    ((const struct kind *)kind)->call();
}

static int throw_out_of(const struct kind *kind)
{
    prepare();
    if (catches(call_with_exception, (void *)(size_t)kind))
        fprintf(stderr, "the host caught it");
    return 0;
}

static void throw_and_catch(void)
{
    void (*thrower)(void) = throw_exception;

    if (!catches((void (*)(void *))(size_t)thrower, NULL))
        abort();
}

/* One that stays inside its callback is the host's affair. */
static int throw_inside(void)
{
    int i;

    prepare();
    for (i = 0; i < KINDS; i++) {
        leave = throw_and_catch;
        kinds[i].call();
        EXPECT(leave == NULL);
    }
    leave = NULL;
    close_native(ctx);
    close_native(other);
    return atomic_load(&expectations.failures);
}

static atomic_int armed;

static void throw_when_armed(const SdsEvent *event, void *userData)
{
    (void)event;
    (void)userData;
    if (atomic_load(&armed))
        throw_exception();
}

static int throw_on_the_timer(void)
{
    char *error = NULL;

    prepare();
    SdsSetEventHandler(ctx, throw_when_armed, NULL);
    atomic_store(&armed, 1);
    SdsStart(ctx, &error);
    sleep_ms(60000);
    return 0;
}

/* ---- longjmp ---------------------------------------------------------------------- */

static jmp_buf outside;

static void jump(void) { longjmp(outside, 1); }

static const char never_returned[] = "libsds error: a callback on this thread never returned: it was left by longjmp()";

static void take_text(int code, const char *text, size_t length, void *userData)
{
    EXPECT_NUMBER(code, RET_ERR);
    EXPECT_NUMBER(length, strlen(never_returned));
    EXPECT_TEXT(text, never_returned);
    ++*(int *)userData;
}

/* Whatever is called, on whatever context, says what is wrong. */
static void expect_refusals(void)
{
    SdsUnwrapped *result = NULL;
    uint8_t *message = NULL;
    size_t length = 0;
    void *made = NULL;
    char *error = NULL;
    int answers = 0;

    EXPECT_WORDS(SdsWrap(ctx, "c", "x", "x", 1, &message, &length, &error), SDS_ERR_INVALID_ARGUMENT, never_returned);
    EXPECT(message == NULL && length == 0);
    EXPECT_WORDS(SdsUnwrap(other, from_other.data, from_other.length, &result, &error), SDS_ERR_INVALID_ARGUMENT,
                 never_returned);
    EXPECT_WORDS(SdsOpen(NULL, &made, &error), SDS_ERR_INVALID_ARGUMENT, never_returned);
    EXPECT(result == NULL && made == NULL);
    EXPECT_NUMBER(SdsClose(ctx), SDS_ERR_INVALID_ARGUMENT);
    EXPECT_NUMBER(SdsResetReliabilityManager(other, take_text, &answers), RET_ERR);
    EXPECT_NUMBER(answers, 1);
    EXPECT_TEXT(SdsVersion(), SDS_VERSION);
}

/* Another thread, with a context that nobody has left anything in. */
static void *use_another(void *unused)
{
    void *third = open_native("carol", config, NULL);

    wrap_native(third, "c", "c1", "hello");
    receive(third, from_other);
    close_native(third);
    return unused;
}

static int jump_out_of(const struct kind *kind)
{
    pthread_t thread;

    prepare();
    if (setjmp(outside) == 0) {
        leave = jump;
        kind->call();
        EXPECT(!"the callback returned");
    }
    expect_refusals();
    expect_refusals();
    if (kind->call != call_for_line) { /* that one holds the log for ever */
        pthread_create(&thread, NULL, use_another, NULL);
        pthread_join(thread, NULL);
    }
    return atomic_load(&expectations.failures);
}

/* An inner callback is left for an outer one, which then returns: the runtime ends the process. */
static void jump_to_outer(const SdsEvent *event, void *userData)
{
    (void)event;
    (void)userData;
    if (setjmp(outside) == 0) {
        leave = jump;
        call_for_result();
    }
    expect_refusals();
    fprintf(stderr, "%d failed; ", atomic_load(&expectations.failures));
}

static int jump_between_callbacks(void)
{
    prepare();
    SdsSetEventHandler(ctx, jump_to_outer, NULL);
    call_for_event();
    return 0;
}

static void jump_within(void)
{
    jmp_buf here;

    if (setjmp(here) == 0)
        longjmp(here, 1);
}

/* Like an exception, a jump may happen inside. */
static int jump_inside(void)
{
    int i;

    prepare();
    for (i = 0; i < KINDS; i++) {
        leave = jump_within;
        kinds[i].call();
        EXPECT(leave == NULL);
    }
    leave = NULL;
    close_native(ctx);
    close_native(other);
    return atomic_load(&expectations.failures);
}

/* A callback whose last act is a call of the library may have given up its own frame for it. */
static void close_last(const SdsEvent *event, void *userData)
{
    (void)event;
    SdsClose(userData);
}

static int call_last(void)
{
    prepare();
    SdsSetEventHandler(ctx, close_last, ctx);
    receive(ctx, from_other);
    EXPECT_NUMBER(SdsClose(ctx), SDS_ERR_INVALID_CONTEXT);
    close_native(other);
    return atomic_load(&expectations.failures);
}

/* ---- the end of a thread ------------------------------------------------------------ */

static void end_thread(void) { pthread_exit(NULL); }

static void *end_inside(void *kind)
{
    leave = end_thread;
    ((const struct kind *)kind)->call();
    return NULL;
}

/* Others must not wait for what it was in; everything else goes on. */
static int end_inside_event(void)
{
    pthread_t thread;

    prepare();
    pthread_create(&thread, NULL, end_inside, (void *)(size_t)&kinds[0]);
    pthread_join(thread, NULL);
    use_another(NULL);
    wrap_native(other, "c", "b2", "hello");
    return atomic_load(&expectations.failures);
}

/* ---- rules --------------------------------------------------------------------------- */

#define PARTS_OF(kind)                                                                                                 \
    static int throw_##kind(void) { return throw_out_of(&kinds[kind]); }                                               \
    static int jump_##kind(void) { return jump_out_of(&kinds[kind]); }
enum { EVENT, JSON, RESULT, HINT, COMMIT, LOAD, LINE };
PARTS_OF(EVENT)
PARTS_OF(JSON)
PARTS_OF(RESULT)
PARTS_OF(HINT)
PARTS_OF(COMMIT)
PARTS_OF(LOAD)
PARTS_OF(LINE)

static const struct part parts[] = {
    {"throw an event", throw_EVENT},
    {"throw json", throw_JSON},
    {"throw a result", throw_RESULT},
    {"throw a hint", throw_HINT},
    {"throw commit", throw_COMMIT},
    {"throw load", throw_LOAD},
    {"throw a line", throw_LINE},
    {"throw on the timer", throw_on_the_timer},
    {"jump event", jump_EVENT},
    {"jump json", jump_JSON},
    {"jump result", jump_RESULT},
    {"jump hint", jump_HINT},
    {"jump commit", jump_COMMIT},
    {"jump load", jump_LOAD},
    {"jump line", jump_LINE},
    {"inside, throw", throw_inside},
    {"inside, jump", jump_inside},
    {"between callbacks", jump_between_callbacks},
    {"call last", call_last},
    {"end a thread", end_inside_event},
};
enum { PARTS = sizeof parts / sizeof parts[0] };

static int is_called(const struct part *part, const char *beginning)
{
    return strncmp(part->name, beginning, strlen(beginning)) == 0;
}

static void an_exception_out_of_a_callback_ends_the_process(void)
{
    size_t i;

    for (i = 0; i < PARTS; i++) {
        struct ending ending;

        if (!is_called(&parts[i], "throw"))
            continue;
        ending = run_alone(parts[i].name);
        if (!EXPECT(WIFSIGNALED(ending.status) && WTERMSIG(ending.status) == SIGABRT) ||
            !EXPECT(strstr(ending.errors, "thrown by the host") != NULL) ||
            !EXPECT(strstr(ending.errors, "the host caught it") == NULL))
            printf("        %s: wait status %#x: %s\n", parts[i].name, (unsigned)ending.status, ending.errors);
    }
}

static void exceptions_and_jumps_inside_a_callback_are_the_hosts_affair(void)
{
    EXPECT_EXIT("inside, throw");
    EXPECT_EXIT("inside, jump");
}

static void a_thread_that_left_a_callback_by_longjmp_is_refused(void)
{
    size_t i;

    for (i = 0; i < PARTS; i++)
        if (is_called(&parts[i], "jump"))
            EXPECT_EXIT(parts[i].name);
}

static void a_jump_to_an_outer_callback_is_refused_and_ends_the_process_when_that_returns(void)
{
    struct ending ending = run_alone("between callbacks");

    if (!EXPECT(WIFSIGNALED(ending.status) || WEXITSTATUS(ending.status) != 0) ||
        !EXPECT(strncmp(ending.errors, "0 failed; fatal error", 21) == 0))
        printf("        wait status %#x: %s\n", (unsigned)ending.status, ending.errors);
}

static void a_call_in_the_place_of_a_return_is_no_jump(void) { EXPECT_EXIT("call last"); }

static void a_thread_that_ends_inside_a_callback_leaves_other_contexts_alone(void) { EXPECT_EXIT("end a thread"); }

int main(int argc, char **argv)
{
    int status = alone(argc, argv, parts, PARTS);

    if (status >= 0)
        return status != 0;
    expect_begin(argc, argv);
    RUN(an_exception_out_of_a_callback_ends_the_process);
    RUN(exceptions_and_jumps_inside_a_callback_are_the_hosts_affair);
    RUN(a_thread_that_left_a_callback_by_longjmp_is_refused);
    RUN(a_jump_to_an_outer_callback_is_refused_and_ends_the_process_when_that_returns);
    RUN(a_call_in_the_place_of_a_return_is_no_jump);
    RUN(a_thread_that_ends_inside_a_callback_leaves_other_contexts_alone);
    return expect_end();
}
