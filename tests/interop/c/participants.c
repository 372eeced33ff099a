/*
 * participants.c: participants that speak through libsds, for the tests of the folder above.
 *
 * It reads commands from stdin, a line each, and answers each with a line that begins
 * with "ok" or "error", after a line "event ..." for everything that the library announced.
 * A line is words with a blank between. Ids, payloads and texts are hexadecimal words, "-"
 * where there is nothing; ../js/participants.mjs understands the same.
 *
 *   open N PARTICIPANT CONFIG        a participant, by which number others call it
 *   close N
 *   send N CHANNEL ID CONTENT        ok PAYLOAD
 *   sync N CHANNEL                   ok PAYLOAD
 *   ephemeral N CHANNEL ID CONTENT   ok PAYLOAD
 *   receive N PAYLOAD HINT           ok KIND CHANNEL ID SENDER LAMPORT FLAGS CONTENT MISSING
 *   hint N ID HINT                   where a message can be fetched, if anybody asks
 *   met N CHANNEL ID
 *   tick N MILLISECONDS              what is due is done; ok NEXT
 *   inspect N CHANNEL                ok JSON, of a channel that is made or loaded if need be
 *
 * HINT goes with the received message. FLAGS are "d", duplicate, and "b", buffered. MISSING
 * and the dependencies of events are ID/SENDER/HINT, with commas between.
 */
#define _POSIX_C_SOURCE 200809L

#include <libsds.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PARTICIPANTS = 64, MOST_WORDS = 8 };

struct bytes {
    unsigned char *data; /* with a NUL behind it */
    size_t length;
};

struct hint {
    char *id;
    struct bytes value;
    struct hint *next;
};

static struct participant {
    void *ctx;
    char *name;
    struct hint *hints; /* they outlive a restart, as a host's archive does */
} participants[MOST_PARTICIPANTS];

static void *allocate(size_t size)
{
    void *memory = malloc(size);

    if (memory == NULL) {
        perror("participants");
        exit(1);
    }
    return memory;
}

static int digit(char c) { return c >= 'a' ? c - 'a' + 10 : c - '0'; }

static struct bytes from_hex(const char *word)
{
    struct bytes bytes;
    size_t i;

    bytes.length = strcmp(word, "-") == 0 ? 0 : strlen(word) / 2;
    bytes.data = allocate(bytes.length + 1);
    for (i = 0; i < bytes.length; i++)
        bytes.data[i] = (unsigned char)(digit(word[2 * i]) << 4 | digit(word[2 * i + 1]));
    bytes.data[bytes.length] = '\0';
    return bytes;
}

static void put_hex(const void *data, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *at = data;
    size_t i;

    if (length == 0)
        putchar('-');
    for (i = 0; i < length; i++) {
        putchar(digits[at[i] >> 4]);
        putchar(digits[at[i] & 15]);
    }
}

static void put_text(const char *text) { put_hex(text, text == NULL ? 0 : strlen(text)); }

static void put_dependencies(const SdsDependency *deps, size_t count)
{
    size_t i;

    if (count == 0)
        putchar('-');
    for (i = 0; i < count; i++) {
        if (i > 0)
            putchar(',');
        put_text(deps[i].messageId);
        putchar('/');
        put_text(deps[i].senderId);
        putchar('/');
        put_hex(deps[i].hint, deps[i].hintLen);
    }
}

static void on_event(const SdsEvent *event, void *user)
{
    static const char *const names[] = {
        [SDS_EVENT_MESSAGE_READY] = "ready",
        [SDS_EVENT_MESSAGE_SENT] = "acknowledged",
        [SDS_EVENT_MISSING_DEPENDENCIES] = "missing",
        [SDS_EVENT_PERIODIC_SYNC] = "sync",
        [SDS_EVENT_REPAIR_READY] = "repair",
        [SDS_EVENT_RESEND_READY] = "resend",
        [SDS_EVENT_DELIVERY_FAILED] = "failed",
        [SDS_EVENT_DEPENDENCIES_LOST] = "lost",
    };

    (void)user;
    printf("event %s ", names[event->type]);
    put_text(event->channelId);
    putchar(' ');
    put_text(event->messageId);
    putchar(' ');
    put_hex(event->message, event->messageLen);
    putchar(' ');
    put_dependencies(event->deps, event->depCount);
    putchar('\n');
}

static void give_hint(const char *id, char **hint, size_t *length, void *user)
{
    const struct hint *at;

    for (at = ((struct participant *)user)->hints; at != NULL; at = at->next)
        if (strcmp(at->id, id) == 0) {
            *hint = allocate(at->value.length);
            memcpy(*hint, at->value.data, *length = at->value.length);
            return;
        }
}

static void keep_hint(struct participant *p, const char *id, const char *word)
{
    struct hint *hint;

    if (strcmp(word, "-") == 0)
        return;
    hint = allocate(sizeof *hint);
    hint->id = allocate(strlen(id) + 1);
    strcpy(hint->id, id);
    hint->value = from_hex(word);
    hint->next = p->hints;
    p->hints = hint;
}

static void forget_hints(struct participant *p)
{
    while (p->hints != NULL) {
        struct hint *next = p->hints->next;

        free(p->hints->id);
        free(p->hints->value.data);
        free(p->hints);
        p->hints = next;
    }
}

/* The answer to a command whose result is a payload or a text, or nothing. */
static void answer(int status, char *error, const void *result, size_t length)
{
    if (status == SDS_OK) {
        fputs("ok ", stdout);
        put_hex(result, length);
    } else {
        printf("error %d ", status);
        put_text(error != NULL ? error : SdsStatusString(status));
    }
    putchar('\n');
    SdsFree(error);
}

static void receive(struct participant *p, struct bytes payload, const char *hint)
{
    static const char *const kinds[] = {
        [SDS_KIND_CONTENT] = "content", [SDS_KIND_SYNC] = "sync", [SDS_KIND_EPHEMERAL] = "ephemeral"};
    SdsUnwrapped *m;
    char *error = NULL;
    int status = SdsUnwrap(p->ctx, payload.data, payload.length, &m, &error);

    if (status != SDS_OK) {
        answer(status, error, NULL, 0);
        return;
    }
    if (m->kind == SDS_KIND_CONTENT)
        keep_hint(p, m->messageId, hint);
    printf("ok %s ", kinds[m->kind]);
    put_text(m->channelId);
    putchar(' ');
    put_text(m->messageId);
    putchar(' ');
    put_text(m->senderId);
    printf(" %" PRIu64 " %s ", m->lamport, m->duplicate ? "d" : m->buffered ? "b" : "-");
    put_hex(m->content, m->contentLen);
    putchar(' ');
    put_dependencies(m->missing, m->missingCount);
    putchar('\n');
    SdsFree(m);
}

static void open_participant(struct participant *p, struct bytes name, struct bytes config)
{
    SdsOptions options;
    char *error = NULL;

    if (p->name == NULL || strcmp(p->name, (const char *)name.data) != 0) {
        forget_hints(p);
        free(p->name);
        p->name = allocate(name.length + 1);
        memcpy(p->name, name.data, name.length + 1);
    }
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.participantId = (const char *)name.data;
    options.configJson = (const char *)config.data;
    options.eventHandler = on_event;
    options.hintProvider = give_hint;
    options.hintUserData = p;
    answer(SdsOpen(&options, &p->ctx, &error), error, NULL, 0);
}

static int run(char **words, int count)
{
    struct participant *p;
    struct bytes b[MOST_WORDS];
    const char *text[MOST_WORDS];
    uint8_t *payload = NULL;
    char *json = NULL, *error = NULL;
    size_t length = 0;
    int64_t next = 0;
    int i, status, n = count > 1 ? atoi(words[1]) : -1;

    if (n < 0 || n >= MOST_PARTICIPANTS)
        return 0;
    p = &participants[n];
    for (i = 2; i < count; i++) {
        b[i] = from_hex(words[i]);
        text[i] = (const char *)b[i].data;
    }
#define IS(name, words_) (strcmp(words[0], name) == 0 && count == 2 + (words_))
    if (IS("open", 2)) {
        open_participant(p, b[2], b[3]);
    } else if (IS("close", 0)) {
        status = SdsClose(p->ctx);
        answer(status, NULL, NULL, 0);
    } else if (IS("send", 3)) {
        status = SdsWrap(p->ctx, text[2], text[3], b[4].data, b[4].length, &payload, &length, &error);
        answer(status, error, payload, length);
    } else if (IS("sync", 1)) {
        status = SdsWrapSync(p->ctx, text[2], &payload, &length, &error);
        answer(status, error, payload, length);
    } else if (IS("ephemeral", 3)) {
        status = SdsWrapEphemeral(p->ctx, text[2], text[3], b[4].data, b[4].length, &payload, &length, &error);
        answer(status, error, payload, length);
    } else if (IS("receive", 2)) {
        receive(p, b[2], words[3]);
    } else if (IS("hint", 2)) {
        keep_hint(p, text[2], words[3]);
        answer(SDS_OK, NULL, NULL, 0);
    } else if (IS("met", 2)) {
        status = SdsMarkMet(p->ctx, text[2], &text[3], 1, &error);
        answer(status, error, NULL, 0);
    } else if (IS("tick", 1)) {
        status = SdsTick(p->ctx, strtoll(words[2], NULL, 10), &next, &error);
        if (status == SDS_OK)
            printf("ok %" PRId64 "\n", next);
        else
            answer(status, error, NULL, 0);
    } else if (IS("inspect", 1)) {
        status = SdsEnsureChannel(p->ctx, text[2], &error);
        if (status == SDS_OK)
            status = SdsInspect(p->ctx, text[2], &json, &error);
        answer(status, error, json, json == NULL ? 0 : strlen(json));
    } else {
        return 0;
    }
    SdsFree(payload);
    SdsFree(json);
    for (i = 2; i < count; i++)
        free(b[i].data);
    return 1;
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;

    while (getline(&line, &room, stdin) > 0) {
        char *words[MOST_WORDS], *word;
        int count = 0;

        for (word = strtok(line, " \n"); word != NULL && count < MOST_WORDS; word = strtok(NULL, " \n"))
            words[count++] = word;
        if (count == 0 || !run(words, count)) {
            fprintf(stderr, "participants: no such command: %s\n", count == 0 ? "" : words[0]);
            return 1;
        }
        fflush(stdout);
    }
    free(line);
    return 0;
}
