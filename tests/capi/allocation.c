/*
 * No memory: every block that the library asks the C library for is refused
 * once, one after the other, and then all from that one on. What the header says
 * of SDS_ERR_OUT_OF_MEMORY holds: a status or a text, outputs that are cleared,
 * events all the same, nothing that leaks, and a context that works on.
 *
 * This program has its own malloc(), realloc() and free(), which pass on what
 * they are asked for. They refuse only what is asked from inside the library, on
 * the thread that tests. The memory of the Go runtime itself is not from malloc(),
 * and it ends the process where the system has none. So it does where it cannot
 * begin a thread, and where a context gets no byte for its address, right after a
 * block that it did get: these two are never refused.
 */
#define _GNU_SOURCE /* dl_iterate_phdr, RTLD_NEXT */
#include "native.h"

#include <dlfcn.h>
#include <link.h>

/* ---- memory ------------------------------------------------------------------- */

static struct {
    void *(*malloc)(size_t size);
    void *(*realloc)(void *block, size_t size);
    void (*free)(void *block);
} system_memory;

static void find_system_memory(void)
{
    void *address;

    address = dlsym(RTLD_NEXT, "malloc");
    memcpy(&system_memory.malloc, &address, sizeof address);
    address = dlsym(RTLD_NEXT, "realloc");
    memcpy(&system_memory.realloc, &address, sizeof address);
    address = dlsym(RTLD_NEXT, "free");
    memcpy(&system_memory.free, &address, sizeof address);
}

/* The code of the library, which is loaded before main() begins. */
static const char *library_begin, *library_end;

static int note_library(struct dl_phdr_info *object, size_t size, void *unused)
{
    int i;

    (void)size;
    (void)unused;
    if (strstr(object->dlpi_name, "libsds.so") == NULL)
        return 0;
    for (i = 0; i < object->dlpi_phnum; i++)
        if (object->dlpi_phdr[i].p_type == PT_LOAD && (object->dlpi_phdr[i].p_flags & PF_X) != 0) {
            library_begin = (const char *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
            library_end = library_begin + object->dlpi_phdr[i].p_memsz;
        }
    return 1;
}

static int is_library(const void *caller)
{
    return (const char *)caller >= library_begin && (const char *)caller < library_end;
}

/* What the runtime asks for when it begins a thread: three pointers. */
static int is_for_a_thread(size_t size) { return size == 3 * sizeof(void *); }

static int is_for_an_address(size_t size) { return size == 1; }

/* What the library was given on any thread and has not been freed by anybody. */
enum { MOST_BLOCKS = 1 << 16 };
static void *blocks[MOST_BLOCKS];
static size_t block_count;
static pthread_mutex_t blocks_lock = PTHREAD_MUTEX_INITIALIZER;

static void note_block(void *block)
{
    pthread_mutex_lock(&blocks_lock);
    if (block_count == MOST_BLOCKS)
        _exit(4);
    blocks[block_count++] = block;
    pthread_mutex_unlock(&blocks_lock);
}

static int forget_block(void *block)
{
    size_t i;

    pthread_mutex_lock(&blocks_lock);
    for (i = block_count; i-- > 0;)
        if (blocks[i] == block) {
            blocks[i] = blocks[--block_count];
            pthread_mutex_unlock(&blocks_lock);
            return 1;
        }
    pthread_mutex_unlock(&blocks_lock);
    return 0;
}

static size_t count_blocks(void)
{
    size_t count;

    pthread_mutex_lock(&blocks_lock);
    count = block_count;
    pthread_mutex_unlock(&blocks_lock);
    return count;
}

/* Which of this thread's requests from inside the library is refused. */
static _Thread_local struct {
    int counting; /* requests are counted, and may be refused */
    int count;    /* so many there were */
    int nth;      /* this one is refused */
    int for_good; /* and those after it are */
    int refused;  /* so many were */
} requests;

static int is_refused(size_t size, const void *caller)
{
    if (!requests.counting || !is_library(caller) || is_for_a_thread(size) || is_for_an_address(size))
        return 0;
    requests.count++;
    if (requests.count != requests.nth && !(requests.for_good && requests.count > requests.nth))
        return 0;
    requests.refused++;
    return 1;
}

void *malloc(size_t size)
{
    const void *caller = __builtin_return_address(0);
    void *block;

    if (system_memory.malloc == NULL)
        find_system_memory();
    if (is_refused(size, caller))
        return NULL;
    block = system_memory.malloc(size);
    if (block != NULL && is_library(caller))
        note_block(block);
    return block;
}

void *realloc(void *old, size_t size)
{
    const void *caller = __builtin_return_address(0);
    int library = is_library(caller);
    void *block;

    if (system_memory.realloc == NULL)
        find_system_memory();
    if (is_refused(size, caller))
        return NULL;
    if (library)
        forget_block(old);
    block = system_memory.realloc(old, size);
    if (library)
        note_block(block != NULL ? block : old);
    return block;
}

void free(void *block)
{
    if (block == NULL)
        return;
    if (system_memory.free == NULL)
        find_system_memory();
    forget_block(block);
    system_memory.free(block);
}

/* ---- a life of two participants, each of whose steps may find no memory --------- */

/* How many contexts there were: each keeps the few bytes that its address names. */
static size_t contexts;

/* What a step may end with. */
static int is_expected(int status) { return status == SDS_OK || status == SDS_ERR_OUT_OF_MEMORY; }

/* TRY makes a call with the requests of the library counted, and again when it found no memory. */
#define TRY(call, cleared)                                                                                             \
    do {                                                                                                               \
        int attempts;                                                                                                  \
        for (attempts = 0; attempts < 2; attempts++) {                                                                 \
            int status;                                                                                                \
            requests.counting = attempts == 0;                                                                         \
            status = (call);                                                                                           \
            requests.counting = 0;                                                                                     \
            EXPECT(is_expected(status));                                                                               \
            if (attempts > 0)                                                                                          \
                EXPECT_NUMBER(status, SDS_OK);                                                                         \
            EXPECT(error == NULL || (status != SDS_OK && strncmp(error, "libsds error: ", 14) == 0));                  \
            SdsFree(error);                                                                                            \
            error = NULL;                                                                                              \
            if (status == SDS_OK)                                                                                      \
                break;                                                                                                 \
            EXPECT(cleared);                                                                                           \
        }                                                                                                              \
    } while (0)

/* REFUSE makes a call that has something wrong with it: with memory or without, that is what its status says. */
#define REFUSE(call, expected)                                                                                         \
    do {                                                                                                               \
        int status;                                                                                                    \
        requests.counting = 1;                                                                                         \
        status = (call);                                                                                               \
        requests.counting = 0;                                                                                         \
        EXPECT_NUMBER(status, (expected));                                                                             \
        EXPECT(error == NULL || strncmp(error, "libsds error: ", 14) == 0);                                            \
        SdsFree(error);                                                                                                \
        error = NULL;                                                                                                  \
    } while (0)

/* What a host was told of each message. */
struct told {
    int ready[8];
    int sent, missing, resends, syncs;
};

static void hear(const SdsEvent *event, void *userData)
{
    struct told *told = userData;
    int counting = requests.counting;

    requests.counting = 0; /* the host's own calls */
    EXPECT_NUMBER(event->size, sizeof *event);
    if (event->type == SDS_EVENT_MESSAGE_READY) {
        EXPECT_NUMBER(event->messageLen, 3000);
        told->ready[event->messageId[1] - '0']++;
    }
    told->sent += event->type == SDS_EVENT_MESSAGE_SENT;
    told->resends += event->type == SDS_EVENT_RESEND_READY;
    told->syncs += event->type == SDS_EVENT_PERIODIC_SYNC;
    if (event->type == SDS_EVENT_MISSING_DEPENDENCIES) {
        EXPECT(event->depCount > 0 && event->deps[0].messageId[0] == 'a');
        told->missing++;
    }
    requests.counting = counting;
}

/* What is in the log of a host that keeps its channels itself, by the last character of its id. */
struct kept {
    int commits;
    char in_log[10];
};

static char *place_of(struct kept *kept, const char *id)
{
    EXPECT(strlen(id) == 2 && id[1] >= '0' && id[1] <= '9');
    return &kept->in_log[(id[1] - '0') % 10];
}

static int commit(SdsCall *call, const char *channel, const uint8_t *meta, size_t metaLen,
                  const SdsHistoryRecord *append, size_t appendCount, const char *const *evict, size_t evictCount,
                  void *userData)
{
    struct kept *kept = userData;
    size_t i;

    (void)call;
    EXPECT_TEXT(channel, "c");
    EXPECT(meta != NULL && metaLen > 0);
    for (i = 0; i < appendCount; i++) {
        EXPECT(append[i].messageLen > 0);
        *place_of(kept, append[i].messageId) = 1;
    }
    for (i = 0; i < evictCount; i++)
        *place_of(kept, evict[i]) = 0;
    kept->commits++;
    return 0;
}

static int nothing_kept(SdsCall *call, const char *channel, void *userData)
{
    (void)call;
    (void)channel;
    (void)userData;
    return 0;
}

static const char config[] = "{" SMALL_FILTER ",\"maxMessageHistory\":3,\"resendIntervalMs\":1000,"
                             "\"bufferSweepIntervalMs\":1000,\"syncMessageIntervalMs\":1000}";

static void *open_peer(const char *name, struct told *told, struct kept *kept)
{
    SdsPersistence procedures = {0};
    SdsOptions options = {0};
    char *error = NULL;
    void *ctx = NULL;

    procedures.size = sizeof procedures;
    procedures.loadChannel = nothing_kept;
    procedures.dropChannel = nothing_kept;
    procedures.commit = commit;
    options.size = sizeof options;
    options.participantId = name;
    options.configJson = config;
    options.persistence = kept != NULL ? &procedures : NULL;
    options.persistenceUserData = kept;
    options.eventHandler = hear;
    options.eventUserData = told;
    TRY(SdsOpen(&options, &ctx, &error), ctx == NULL);
    contexts++;
    return ctx;
}

static struct bytes wrap_with_faults(void *ctx, const char *id)
{
    static char content[3000];
    uint8_t *message = NULL;
    size_t length = 0;
    char *error = NULL;

    memset(content, id[1], sizeof content);
    TRY(SdsWrap(ctx, "c", id, content, sizeof content, &message, &length, &error), message == NULL && length == 0);
    return taken(message, length);
}

static void unwrap_with_faults(void *ctx, struct bytes wire)
{
    SdsUnwrapped *result = NULL;
    char *error = NULL;

    TRY(SdsUnwrap(ctx, wire.data, wire.length, &result, &error), result == NULL);
    SdsFree(result);
}

static void inspect_with_faults(void *ctx)
{
    char *json = NULL, *error = NULL;

    TRY(SdsChannels(ctx, &json, &error), json == NULL);
    SdsFree(json);
    TRY(SdsInspect(ctx, "c", &json, &error), json == NULL);
    SdsFree(json);
    TRY(SdsStats(ctx, &json, &error), json == NULL);
    SdsFree(json);
    REFUSE(SdsInspect(ctx, "nowhere", &json, &error), SDS_ERR_INVALID_ARGUMENT);
    EXPECT(json == NULL);
}

static void native_life(void)
{
    static const unsigned char foreign[] = "not a message";
    static const char *const met[] = {"a0"};
    struct told alice_told = {0}, bob_told = {0};
    struct kept kept = {0};
    void *alice = open_peer("alice", &alice_told, NULL), *bob = open_peer("bob", &bob_told, &kept);
    struct bytes a[6], b, sync;
    SdsUnwrapped *result = NULL;
    uint8_t *message = NULL;
    size_t length = 0;
    char *error = NULL;
    int i;

    for (i = 0; i < 6; i++) {
        char id[] = {'a', (char)('0' + i), '\0'};

        a[i] = wrap_with_faults(alice, id);
    }
    unwrap_with_faults(bob, a[1]); /* waits for a0 */
    inspect_with_faults(bob);
    TRY(SdsMarkMet(bob, "c", met, 1, &error), 1);
    for (i = 2; i < 6; i++)
        unwrap_with_faults(bob, a[i]);
    unwrap_with_faults(bob, a[3]); /* a duplicate */
    b = wrap_with_faults(bob, "b6");
    unwrap_with_faults(alice, b);
    TRY(SdsWrapSync(bob, "c", &message, &length, &error), message == NULL && length == 0);
    sync = taken(message, length);
    unwrap_with_faults(alice, sync);
    TRY(SdsWrapEphemeral(bob, "c", "b7", "typing", 6, &message, &length, &error), message == NULL && length == 0);
    SdsFree(message);
    for (i = 0; i < 4; i++) {
        int64_t next = 0;

        TRY(SdsTick(bob, unix_ms() + i * 2000, &next, &error), 1);
        EXPECT(next > 0);
    }
    REFUSE(SdsWrap(bob, "", "x", "x", 1, &message, &length, &error), SDS_ERR_INVALID_ARGUMENT);
    EXPECT(message == NULL && length == 0);
    REFUSE(SdsUnwrap(bob, foreign, sizeof foreign, &result, &error), SDS_ERR_DESERIALIZATION);
    EXPECT(result == NULL);
    REFUSE(SdsStart(bob, &error), SDS_ERR_INVALID_ARGUMENT);
    REFUSE(SdsSetPersistence(bob, NULL, NULL, &error), SDS_ERR_INVALID_ARGUMENT);

    /* Each was told of everything, once, whatever had no memory meanwhile. */
    for (i = 1; i < 6; i++)
        EXPECT_NUMBER(bob_told.ready[i], 1);
    EXPECT_NUMBER(alice_told.ready[6], 1);
    EXPECT(bob_told.missing >= 1 && bob_told.missing <= 2);
    EXPECT_NUMBER(alice_told.sent, 6);
    EXPECT(bob_told.resends >= 1);
    EXPECT(bob_told.syncs >= 1);
    /* And what was not kept for lack of memory was kept by a later operation. */
    EXPECT(kept.commits > 0);
    for (i = 0; i < 10; i++)
        EXPECT_NUMBER(kept.in_log[i], i >= 4 && i <= 6);

    TRY(SdsDropChannel(bob, "c", &error), 1);
    TRY(SdsReset(alice, &error), 1);
    close_native(alice);
    close_native(bob);
}

/* ---- the same with result callbacks ---------------------------------------------- */

/* answered makes a call that may find no memory and has to answer once in any case. */
static struct answer answered(struct answer (*call)(void *ctx, const void *argument), void *ctx, const void *argument)
{
    struct answer answer;
    int attempt;

    for (attempt = 0; attempt < 2; attempt++) {
        requests.counting = attempt == 0;
        answer = call(ctx, argument);
        requests.counting = 0;
        EXPECT_NUMBER(answer.calls, 1);
        EXPECT_NUMBER(answer.returned, RET_OK);
        EXPECT_NUMBER(answer.terminated, 1);
        if (answer.code == RET_OK)
            return answer;
        EXPECT_NUMBER(attempt, 0);
        EXPECT(answer.text != NULL && strstr(answer.text, "reOutOfMemory") != NULL);
    }
    return answer;
}

static struct answer wrap_text(void *ctx, const void *id) { return wrap(ctx, "c", id, "content"); }

static struct answer unwrap_wire(void *ctx, const void *wire) { return unwrap(ctx, *(const struct bytes *)wire); }

static void count_events(int code, const char *json, size_t length, void *userData)
{
    int counting = requests.counting;

    requests.counting = 0;
    EXPECT_NUMBER(code, RET_OK);
    EXPECT(json[length] == '\0');
    ++*(int *)userData;
    requests.counting = counting;
}

static void *open_with_callback(const char *name)
{
    struct answer answer = {0};
    void *ctx;

    requests.counting = 1;
    ctx = SdsNewReliabilityManagerWithConfig(name, config, take_answer, &answer);
    requests.counting = 0;
    EXPECT_NUMBER(answer.calls, 1);
    if (ctx == NULL) {
        EXPECT_NUMBER(answer.code, RET_ERR);
        EXPECT_TEXT(answer.text, "libsds error: out of memory");
        ctx = open_context(name, config);
    }
    contexts++;
    return ctx;
}

static void life_with_callbacks(void)
{
    void *alice = open_with_callback("alice"), *bob = open_with_callback("bob");
    struct answer answer = {0};
    struct bytes wire, large = {scratch(200000), 200000};
    int events = 0;

    SdsSetEventCallback(bob, count_events, &events);
    wire = read_decimal(answered(wrap_text, alice, "a1").text);
    EXPECT_OK(answered(unwrap_wire, bob, &wire));
    EXPECT_OK(answered(unwrap_wire, bob, &wire));
    EXPECT_NUMBER(events, 1); /* ready, which the duplicate is not */
    memset(large.data, 0, large.length);
    requests.counting = 1;
    answer.returned = SdsWrapOutgoingMessage(alice, large.data, large.length, "", "c", take_answer, &answer);
    requests.counting = 0;
    EXPECT_NUMBER(answer.returned, RET_ERR);
    EXPECT_NUMBER(answer.calls, 1);
    EXPECT(answer.text != NULL && strncmp(answer.text, "libsds error: ", 14) == 0);
    /* A result that is much smaller than it could have been: "0,0,0" is what gives room back. */
    memset(&answer, 0, sizeof answer);
    requests.counting = 1;
    answer.returned = SdsWrapOutgoingMessage(alice, large.data, large.length, "a2", "c", take_answer, &answer);
    requests.counting = 0;
    EXPECT_NUMBER(answer.calls, 1);
    EXPECT(answer.code == RET_OK || strstr(answer.text, "reOutOfMemory") != NULL);
    close_context(alice);
    close_context(bob);
}

/* ---- every request ---------------------------------------------------------------- */

static int requests_refused;

/* refuse_each lives a life once for each request that it makes, and refuses that one. */
static void refuse_each(void (*life)(void), int for_good)
{
    int nth;

    for (nth = 1;; nth++) {
        memset(&requests, 0, sizeof requests);
        requests.nth = nth;
        requests.for_good = for_good;
        life();
        if (requests.refused == 0)
            break;
        requests_refused++;
        scratch_free_all();
    }
    EXPECT(nth > 5);
    printf("    %d requests for memory, each refused%s\n", nth - 1, for_good ? " with all after it" : "");
}

static void each_request_is_refused_once(void) { refuse_each(native_life, 0); }
static void each_request_and_all_after_it_are_refused(void) { refuse_each(native_life, 1); }
static void each_request_with_callbacks_is_refused_once(void) { refuse_each(life_with_callbacks, 0); }
static void each_request_with_callbacks_and_all_after_it_are_refused(void) { refuse_each(life_with_callbacks, 1); }

/* What is not freed in the end are two small blocks for each context that ever was: its
 * address, and where that is kept. */
static size_t before;

static void nothing_was_leaked(void)
{
    int tries;

    for (tries = 0; tries < 100 && count_blocks() > before + 2 * contexts; tries++)
        sleep_ms(50); /* results with callbacks live for a second */
    EXPECT_NUMBER(count_blocks(), before + 2 * contexts);
    EXPECT(requests_refused > 0);
}

int main(int argc, char **argv)
{
    void *ctx;

    expect_begin(argc, argv);
    dl_iterate_phdr(note_library, NULL);
    ctx = open_native("first", NULL, NULL); /* what only the first one needs is there */
    close_native(ctx);
    EXPECT(library_begin != NULL);
    before = count_blocks();
    RUN(each_request_is_refused_once);
    RUN(each_request_and_all_after_it_are_refused);
    RUN(each_request_with_callbacks_is_refused_once);
    RUN(each_request_with_callbacks_and_all_after_it_are_refused);
    if (expectations.filter == NULL)
        RUN(nothing_was_leaked);
    return expect_end();
}
