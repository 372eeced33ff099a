/*
 * chat_participant.c - a host of libsds that may be killed at any moment: the part to copy from.
 *
 * Each participant of the conversation is a process of its own, with one libsds context. It knows
 * nothing of the others. Requests come on a socket: what its user says, and what the network has
 * brought. What it wants to be broadcast, and what its user gets to see, goes back there. In a real
 * program the socket is the transport and the screen.
 *
 * A host does six things:
 *
 *   1. open_participant   creates a context, sets the event callback, starts the periodic tasks
 *   2. send_draft         wraps a text, and broadcasts the bytes
 *   3. take_payload       unwraps the bytes that the network has brought
 *   4. handle_event       broadcasts what the library wants to be sent, notes what it reports
 *   5. close_participant  cleans up
 *   6. catch_up           after a restart: finishes what the process died over
 *
 * Threads: a callback comes either from inside a call of ours, on our thread, or from the library's
 * timer thread. So the event callback does one thing, it puts a copy of the event in the inbox,
 * under a mutex, and wakes the main thread; all the rest runs there and needs no lock.
 *
 * What survives a crash. With "storePath" the library keeps its own state in a file: clock, log,
 * what is not acknowledged yet and what waits for something missing. Nothing is announced before it
 * is in that file. (A full disk stops nothing: the library goes on in memory, and saves everything
 * once it can.) The texts that the user has seen are the host's to keep, and here they go to a
 * second file, the notes, which only grows. The process may die between the library's commit and
 * the host's note. Then the library counts as said or delivered what the notes do not have, and it
 * will not tell again. Two notes that are made BEFORE the library is called close that gap:
 *
 *   NOTE_RECEIVED  a payload, before it is unwrapped. It is settled when its message is in the log,
 *                  or was there before. After a restart, catch_up unwraps again what is not settled,
 *                  and the answer tells what had become of it:
 *                    "duplicate": true   the library delivered it, and message_ready died with the
 *                                        process. Its content is in the answer: to the log with it.
 *                    "buffered": true    it still waits; message_ready will come.
 *                    neither             the library had not kept it, and has taken it in now.
 *   NOTE_DRAFT     a text and its id, before it is wrapped. It is settled when the message is in
 *                  the log, and only then are the bytes broadcast. After a restart, catch_up wraps
 *                  what is not settled again, with the same id. Either the library did not keep the
 *                  message, or the new one takes its place; and nobody has the old one, because it
 *                  was never broadcast. That holds only as long as the timers do not run: they would
 *                  resend it. So catch_up comes before the periodic tasks.
 *
 * A message that is in the log and was not broadcast any more needs no note: nobody acknowledges it,
 * so the library resends it.
 *
 * A host with a database has tables for drafts, received payloads and messages instead of notes.
 * What reports an acknowledgement (message_sent) is only shown here: one that dies with the process
 * is not told again.
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libsds.h>

#include "chat.h"

#define CHANNEL "meadow"
#define KEEP_ALIVE_TEXT "still here"

/*
 * What the library is to do, by the time that a packet in time takes: one round of the network, 20 ms
 * or so. Thus the whole story fits in a few seconds; the library's defaults suit the Internet (30 s
 * to 5 min). What deserves a word:
 *
 *   syncMessageIntervalMs  how often who is silent is reminded to send a keep-alive
 *   maxCausalHistory       each message names its whole past, so whoever missed a message long ago
 *                          hears of it again with every message that comes
 *   missingDependencyTimeoutMs   0: never give up on a gap
 *   bloomFilterCapacity    each message carries a filter of what its sender has received; one for
 *                          2,000 messages takes 4 KB on the wire, the default for 10,000 takes 19 KB
 *   storePath              the file that makes the state durable; make_configuration adds it
 */
static const char INTERVALS[] =
    "\"repairTMinMs\": %u, \"repairTMaxMs\": %u, \"repairSweepIntervalMs\": %u, \"resendIntervalMs\": %u,"
    " \"bufferSweepIntervalMs\": %u, \"syncMessageIntervalMs\": %u";
enum { REPAIR_MIN = 2, REPAIR_MAX = 10, REPAIR_SWEEP = 1, RESEND = 15, BUFFER_SWEEP = 2, SYNC = 10 }; /* rounds */

static const char NUMBERS[] =
    "\"maxRepairRequests\": 10, \"maxResendAttempts\": 10, \"maxCausalHistory\": 1000,"
    " \"missingDependencyTimeoutMs\": 0, \"bloomFilterCapacity\": 2000, \"maxMessageHistory\": 2000";

/* ---- The state of a participant --------------------------------------------------------------- */

/* Events wait here for the main thread. The only thing that two threads share. */
struct inbox {
    pthread_mutex_t lock;
    char **events; /* JSON */
    size_t count;
    int wake[2]; /* a pipe: something can be read from it when there are events */
};

/* A payload or a draft that the notes do not know the end of. */
struct unsettled {
    enum frame_kind kind;
    uint64_t number; /* of a payload; 0 for a draft */
    char *id;        /* of a draft */
    struct bytes data;
};

struct notes {
    int file; /* -1: none are kept */
    uint64_t payloads, drafts; /* so many were noted: the number of the newest */
    struct unsettled *unsettled; /* what was read at the start, oldest first */
    size_t unsettled_count;
};

/* Received, but message_ready has not come: the library may hold it back. */
struct waiting {
    struct entry entry;
    uint64_t number; /* of its payload in the notes */
};

struct host {
    const char *name; /* also the participant id */
    void *sds;
    int socket;
    struct inbox inbox;
    struct notes notes;
    struct waiting *waiting;
    size_t waiting_count;
    struct entry_list log; /* delivered or own */
    bool sent_since_sync;  /* no keep-alive is needed from one who talks anyway */
};

/* ---- Reading what the library says ------------------------------------------------------------ */

/*
 * Results and events are JSON objects. This reader knows JSON's grammar just well enough to find
 * the members of an object and the elements of an array in text that the library wrote; it is not
 * a validator. A program with more to read should take a JSON library.
 */
struct json {
    const char *at;  /* first character of a value; NULL: there is none */
    const char *end; /* one past its last */
};

static const char *skip_blank(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) {
        at++;
    }
    return at;
}

/* One past the string that starts at its opening quote. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        if (*at == '\\') {
            at++;
        }
    }
    return at < end ? at + 1 : end;
}

/* One past the value that starts here, with all that is nested in it. */
static const char *skip_value(const char *at, const char *end)
{
    size_t depth = 0;

    while (at < end) {
        if (depth == 0 && (*at == ',' || *at == '}' || *at == ']')) {
            break;
        }
        if (*at == '"') {
            at = skip_string(at, end);
            continue;
        }
        if (*at == '{' || *at == '[') {
            depth++;
        } else if (*at == '}' || *at == ']') {
            depth--;
        }
        at++;
    }
    return at;
}

/* Steps through an array: pass an empty element first, then each result, until it is empty again. */
static struct json json_next(struct json array, struct json element)
{
    const char *at = skip_blank(element.at == NULL ? array.at : element.end, array.end);

    if (array.at == NULL || at >= array.end || (*at != '[' && *at != ',')) {
        return (struct json){NULL, NULL};
    }
    at = skip_blank(at + 1, array.end);
    if (at >= array.end || *at == ']') {
        return (struct json){NULL, NULL};
    }
    return (struct json){at, skip_value(at, array.end)};
}

/* The value of an object's member. The names that we ask for contain nothing to escape. */
static struct json json_member(struct json object, const char *name)
{
    size_t name_length = strlen(name);
    const char *at = object.at == NULL ? NULL : skip_blank(object.at, object.end);

    if (at == NULL || at >= object.end || *at != '{') {
        return (struct json){NULL, NULL};
    }
    for (;;) {
        at = skip_blank(at + 1, object.end);
        if (at >= object.end || *at != '"') {
            return (struct json){NULL, NULL};
        }
        const char *key = at + 1;
        at = skip_string(at, object.end);
        size_t key_length = (size_t)(at - key - 1);
        at = skip_blank(at, object.end);
        if (at >= object.end || *at != ':') {
            return (struct json){NULL, NULL};
        }
        struct json value;
        value.at = skip_blank(at + 1, object.end);
        value.end = skip_value(value.at, object.end);
        if (key_length == name_length && memcmp(key, name, name_length) == 0) {
            return value;
        }
        at = skip_blank(value.end, object.end);
        if (at >= object.end || *at != ',') {
            return (struct json){NULL, NULL};
        }
    }
}

/* The value of a number without sign or fraction; 0 if it is none. */
static uint64_t json_number(struct json value)
{
    uint64_t number = 0;

    for (const char *at = value.at; at != value.end && *at >= '0' && *at <= '9'; at++) {
        number = number * 10 + (uint64_t)(*at - '0');
    }
    return number;
}

static bool json_true(struct json value)
{
    return value.end - value.at == 4 && memcmp(value.at, "true", 4) == 0;
}

static unsigned read_hex4(const char *at)
{
    char digits[5] = {0};

    memcpy(digits, at, 4);
    return (unsigned)strtoul(digits, NULL, 16);
}

/* Writes a code point as UTF-8 and returns where the next one goes. */
static char *put_utf8(char *to, unsigned long point)
{
    if (point < 0x80) {
        *to++ = (char)point;
    } else if (point < 0x800) {
        *to++ = (char)(0xC0 | point >> 6);
        *to++ = (char)(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        *to++ = (char)(0xE0 | point >> 12);
        *to++ = (char)(0x80 | (point >> 6 & 0x3F));
        *to++ = (char)(0x80 | (point & 0x3F));
    } else {
        *to++ = (char)(0xF0 | point >> 18);
        *to++ = (char)(0x80 | (point >> 12 & 0x3F));
        *to++ = (char)(0x80 | (point >> 6 & 0x3F));
        *to++ = (char)(0x80 | (point & 0x3F));
    }
    return to;
}

/* The text of a JSON string, for the caller to free; empty if the value is not a string. */
static char *json_text(struct json value)
{
    if (value.at == NULL || *value.at != '"') {
        return copy_text("", 0);
    }
    const char *at = value.at + 1;
    const char *end = value.end - 1;
    char *text = grow(NULL, (size_t)(value.end - value.at) + 1); /* no escape is shorter than what it means */
    char *to = text;

    while (at < end) {
        if (*at != '\\' || at + 1 >= end) {
            *to++ = *at++;
            continue;
        }
        static const char escapes[] = "\"\\/bfnrt";
        static const char meanings[] = "\"\\/\b\f\n\r\t";
        const char *escape = strchr(escapes, at[1]);
        if (escape != NULL) {
            *to++ = meanings[escape - escapes];
            at += 2;
        } else if (at[1] == 'u' && end - at >= 6) {
            unsigned long point = read_hex4(at + 2);
            at += 6;
            if (point >= 0xD800 && point < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
                point = 0x10000 + ((point - 0xD800) << 10) + (read_hex4(at + 2) - 0xDC00UL);
                at += 6;
            }
            to = put_utf8(to, point);
        } else {
            at++;
        }
    }
    *to = '\0';
    return text;
}

/* Bytes written as decimal numbers: a wrap result (10,3,105) or a JSON array ([104,105]). */
static struct bytes read_decimal_bytes(struct json list)
{
    struct bytes bytes = {grow(NULL, list.at == NULL ? 0 : (size_t)(list.end - list.at)), 0};
    unsigned number = 0;
    bool in_number = false;

    for (const char *at = list.at; at != list.end; at++) {
        if (*at >= '0' && *at <= '9') {
            number = number * 10 + (unsigned)(*at - '0');
            in_number = true;
            if (number > 255) {
                fail("the library wrote a byte that is greater than 255");
            }
        } else if (in_number) {
            bytes.data[bytes.length++] = (unsigned char)number;
            number = 0;
            in_number = false;
        }
    }
    if (in_number) {
        bytes.data[bytes.length++] = (unsigned char)number;
    }
    return bytes;
}

/* Bytes written as base64: the messages inside repair_ready and resend_ready. */
static struct bytes read_base64(const char *text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct bytes bytes = {grow(NULL, strlen(text)), 0};
    uint32_t bits = 0;
    int bit_count = 0;

    for (; *text != '\0' && *text != '='; text++) {
        const char *digit = strchr(alphabet, *text);
        if (digit == NULL) {
            fail("the library wrote base64 with the character '%c'", *text);
        }
        bits = bits << 6 | (uint32_t)(digit - alphabet);
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            bytes.data[bytes.length++] = (unsigned char)(bits >> bit_count & 0xFF);
        }
    }
    return bytes;
}

/* ---- Reports to the conversation -------------------------------------------------------------- */

/* Frees the body. Who hears nothing any more has ended, and then so do we. */
static void report(const struct host *host, enum frame_kind kind, struct bytes *body)
{
    struct bytes frame = make_frame(kind, body);

    for (size_t sent = 0; sent < frame.length;) {
        ssize_t count = send(host->socket, frame.data + sent, frame.length - sent, MSG_NOSIGNAL);
        if (count < 0 && errno != EINTR) {
            exit(EXIT_RUN_FAILED);
        }
        sent += count > 0 ? (size_t)count : 0;
    }
    free(frame.data);
}

static void report_id(const struct host *host, enum frame_kind kind, const char *id)
{
    struct bytes body = {NULL, 0};

    put_text(&body, id);
    report(host, kind, &body);
}

static void report_broadcast(const struct host *host, enum carriage carriage, struct bytes payload)
{
    struct bytes body = {NULL, 0};

    put_number(&body, carriage);
    put_bytes(&body, payload);
    report(host, BROADCAST, &body);
}

static void report_logged(const struct host *host, enum origin origin, const struct entry *entry)
{
    struct bytes body = {NULL, 0};

    put_number(&body, origin);
    put_entry(&body, entry);
    report(host, LOGGED, &body);
}

/* ---- Notes ------------------------------------------------------------------------------------ */

/*
 * Frees the body. A killed process takes no note with it that was written; that one survives a power
 * failure too needs more time, and is only worth it where something relies on it.
 */
static void note(struct host *host, enum frame_kind kind, struct bytes *body, bool durably)
{
    struct bytes frame = make_frame(kind, body);

    for (size_t written = 0; host->notes.file >= 0 && written < frame.length;) {
        ssize_t count = write(host->notes.file, frame.data + written, frame.length - written);
        if (count < 0 && errno != EINTR) {
            fail("cannot write the notes of %s: %s", host->name, strerror(errno));
        }
        written += count > 0 ? (size_t)count : 0;
    }
    if (host->notes.file >= 0 && durably && fdatasync(host->notes.file) != 0) {
        fail("cannot bring the notes of %s to the disk: %s", host->name, strerror(errno));
    }
    free(frame.data);
}

static void note_draft(struct host *host, const char *id, const char *text)
{
    struct bytes body = {NULL, 0};

    host->notes.drafts++;
    put_text(&body, id);
    put_text(&body, text);
    note(host, NOTE_DRAFT, &body, true);
}

static uint64_t note_received(struct host *host, struct bytes payload)
{
    struct bytes body = {NULL, 0};

    put_number(&body, ++host->notes.payloads);
    put_bytes(&body, payload);
    note(host, NOTE_RECEIVED, &body, true);
    return host->notes.payloads;
}

static void note_settled(struct host *host, uint64_t number)
{
    struct bytes body = {NULL, 0};

    put_number(&body, number);
    note(host, NOTE_SETTLED, &body, false);
}

/* An own message must not be wrapped again once others may have it; another one may be unwrapped again. */
static void note_logged(struct host *host, uint64_t number, const struct entry *entry)
{
    struct bytes body = {NULL, 0};

    put_number(&body, number);
    put_entry(&body, entry);
    note(host, NOTE_LOGGED, &body, number == 0);
}

static void keep_unsettled(struct notes *notes, struct unsettled unsettled)
{
    notes->unsettled = grow(notes->unsettled, (notes->unsettled_count + 1) * sizeof *notes->unsettled);
    notes->unsettled[notes->unsettled_count++] = unsettled;
}

/* The payload with this number, or else (0) the draft with this id. */
static void drop_unsettled(struct notes *notes, uint64_t number, const char *id)
{
    for (size_t i = 0; i < notes->unsettled_count; i++) {
        struct unsettled *unsettled = &notes->unsettled[i];
        if (unsettled->number == number && (number > 0 || strcmp(unsettled->id, id) == 0)) {
            free(unsettled->id);
            free(unsettled->data.data);
            notes->unsettled_count--;
            memmove(unsettled, unsettled + 1, (notes->unsettled_count - i) * sizeof *unsettled);
            return;
        }
    }
}

static void read_note(struct host *host, enum frame_kind kind, struct bytes body)
{
    struct notes *notes = &host->notes;

    if (kind == NOTE_DRAFT) {
        char *id = take_text(&body);
        notes->drafts++;
        keep_unsettled(notes, (struct unsettled){kind, 0, id, copy_bytes(take_bytes(&body))});
    } else if (kind == NOTE_RECEIVED) {
        notes->payloads = take_number(&body);
        keep_unsettled(notes, (struct unsettled){kind, notes->payloads, NULL, copy_bytes(take_bytes(&body))});
    } else if (kind == NOTE_SETTLED) {
        drop_unsettled(notes, take_number(&body), NULL);
    } else if (kind == NOTE_LOGGED) {
        uint64_t number = take_number(&body);
        struct entry entry = take_entry(&body);
        drop_unsettled(notes, number, entry.id);
        report_logged(host, FROM_FILE, &entry);
        insert_entry(&host->log, entry);
    } else {
        fail("the notes of %s hold something else than notes", host->name);
    }
}

/* Reads what an earlier process of this participant has noted. What comes will be added at the end. */
static void open_notes(struct host *host, const char *path)
{
    struct stat status;

    host->notes.file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (host->notes.file < 0 || fstat(host->notes.file, &status) != 0) {
        fail("%s: cannot be opened: %s", path, strerror(errno));
    }
    size_t size = (size_t)status.st_size;
    struct bytes all = {grow(NULL, size), 0};
    while (all.length < size) {
        ssize_t count = read(host->notes.file, all.data + all.length, size - all.length);
        if (count <= 0) {
            fail("%s: cannot be read: %s", path, count == 0 ? "it is shrinking" : strerror(errno));
        }
        all.length += (size_t)count;
    }
    struct bytes rest = all;
    struct bytes body;
    enum frame_kind kind;
    while (next_frame(&rest, &kind, &body)) {
        read_note(host, kind, body);
    }
    /* a process that is killed may leave half a note: the next one must not follow upon that */
    if (rest.length > 0 && ftruncate(host->notes.file, (off_t)(size - rest.length)) != 0) {
        fail("%s: cannot be shortened by half a note: %s", path, strerror(errno));
    }
    free(all.data);
}

/* ---- Calling the library ---------------------------------------------------------------------- */

/* The one result callback of a call comes before the call returns: user data on the stack will do. */
struct reply {
    int status;
    char *text;
    size_t length;
};

static void on_result(int status, const char *text, size_t length, void *user_data)
{
    struct reply *reply = user_data;

    reply->status = status;
    reply->text = copy_text(text, length);
    reply->length = length;
}

/* Comes on any thread, also from inside our own calls: copies, and leaves the work to drain_inbox. */
static void on_event(int status, const char *json, size_t length, void *user_data)
{
    struct inbox *inbox = user_data;

    if (status != RET_OK) {
        return; /* an event has no status but this one */
    }
    pthread_mutex_lock(&inbox->lock);
    inbox->events = grow(inbox->events, (inbox->count + 1) * sizeof *inbox->events);
    inbox->events[inbox->count++] = copy_text(json, length);
    pthread_mutex_unlock(&inbox->lock);
    if (write(inbox->wake[1], "", 1) < 0) {
        /* the pipe is full, so the main thread is going to wake up anyway */
    }
}

/* Two things can go wrong with a call: the arguments (returned) and the operation (in the callback). */
static void check(const struct host *host, const char *call, int returned, const struct reply *reply)
{
    if (returned != RET_OK || reply->status != RET_OK) {
        fail("%s of %s failed: %s", call, host->name, reply->length > 0 ? reply->text : "no reason given");
    }
}

/* The bytes to broadcast, for the caller to free. */
static struct bytes wrap(struct host *host, const char *text, const char *id)
{
    struct reply reply = {.status = RET_OK};
    /* the ABI's parameter is not const, but the library only reads */
    int returned = SdsWrapOutgoingMessage(host->sds, (void *)text, strlen(text), id, CHANNEL, on_result, &reply);

    check(host, "SdsWrapOutgoingMessage", returned, &reply);
    struct bytes payload = read_decimal_bytes((struct json){reply.text, reply.text + reply.length});
    free(reply.text);
    return payload;
}

/* The result as JSON, for the caller to free. */
static char *unwrap(struct host *host, struct bytes payload, struct json *result)
{
    struct reply reply = {.status = RET_OK};
    int returned = SdsUnwrapReceivedMessage(host->sds, payload.data, payload.length, on_result, &reply);

    check(host, "SdsUnwrapReceivedMessage", returned, &reply);
    *result = (struct json){reply.text, reply.text + reply.length};
    return reply.text;
}

/*
 * The one thing that we read in what is otherwise the library's: the result of wrap does not tell
 * the time that the library gave to the message, and the log is in the order of that time.
 */
static uint64_t lamport_of(struct bytes own_payload)
{
    struct field field;

    while (next_field(&own_payload, &field)) {
        if (field.number == FIELD_LAMPORT) {
            return field.value;
        }
    }
    fail("a message has no Lamport timestamp");
}

/* ---- Sending and receiving -------------------------------------------------------------------- */

/* The message is in the log: noted first, then shown. Takes over the entry. */
static void enter_log(struct host *host, enum origin origin, uint64_t number, struct entry entry)
{
    note_logged(host, number, &entry);
    report_logged(host, origin, &entry);
    insert_entry(&host->log, entry);
}

/* The draft has been noted. One's own message is in one's log at once; no message_ready comes for it. */
static void send_draft(struct host *host, const char *id, const char *text)
{
    struct bytes payload = wrap(host, text, id);

    enter_log(host, OWN, 0,
              (struct entry){.lamport = lamport_of(payload),
                             .id = copy_text(id, strlen(id)),
                             .sender = copy_text(host->name, strlen(host->name)),
                             .text = copy_text(text, strlen(text))});
    host->sent_since_sync = true;
    report_broadcast(host, FIRST_TIME, payload);
    free(payload.data);
}

static struct waiting *find_waiting(const struct host *host, const char *id)
{
    for (size_t i = 0; i < host->waiting_count; i++) {
        if (strcmp(host->waiting[i].entry.id, id) == 0) {
            return &host->waiting[i];
        }
    }
    return NULL;
}

/* From what is waiting to the log. */
static void deliver(struct host *host, enum origin origin, const char *id)
{
    struct waiting *waiting = find_waiting(host, id);

    if (waiting == NULL) {
        fail("the library delivered a message that never arrived: '%s'", id);
    }
    struct waiting delivered = *waiting;
    *waiting = host->waiting[--host->waiting_count];
    enter_log(host, origin, delivered.number, delivered.entry);
}

/*
 * The payload has been noted. A message is kept until the library says that everything which it
 * depends on is there too. One that we do not have, and that the library calls a duplicate, was
 * delivered to a process that was killed before it made a note of it.
 */
static void take_payload(struct host *host, uint64_t number, struct bytes payload)
{
    struct json result;
    char *json = unwrap(host, payload, &result);
    char *id = json_text(json_member(result, "messageId"));

    if (find_entry(&host->log, id) != NULL || find_waiting(host, id) != NULL) {
        note_settled(host, number);
    } else {
        struct bytes text = read_decimal_bytes(json_member(result, "message"));
        struct entry entry = {.lamport = json_number(json_member(result, "lamportTimestamp")),
                              .id = copy_text(id, strlen(id)),
                              .sender = json_text(json_member(result, "senderId")),
                              .text = copy_text((char *)text.data, text.length)};
        free(text.data);
        host->waiting = grow(host->waiting, (host->waiting_count + 1) * sizeof *host->waiting);
        host->waiting[host->waiting_count++] = (struct waiting){entry, number};
        if (json_true(json_member(result, "duplicate"))) {
            deliver(host, RECALLED, id);
        }
    }
    free(id);
    free(json);
}

/* ---- Events ----------------------------------------------------------------------------------- */

/* The library wants this message of its log to be broadcast again: for a peer, or for want of an ack. */
static void send_again(struct host *host, struct json event, enum carriage carriage)
{
    char *base64 = json_text(json_member(event, "message"));
    struct bytes payload = read_base64(base64);

    report_broadcast(host, carriage, payload);
    free(payload.data);
    free(base64);
}

static void report_missing(struct host *host, struct json event, const char *id)
{
    struct json dependencies = json_member(event, "missingDeps");
    struct bytes body = {NULL, 0};

    put_text(&body, id);
    for (struct json dependency = json_next(dependencies, (struct json){NULL, NULL}); dependency.at != NULL;
         dependency = json_next(dependencies, dependency)) {
        char *missing = json_text(json_member(dependency, "messageId"));
        put_text(&body, missing);
        free(missing);
    }
    report(host, MISSING, &body);
}

/*
 * Repair requests and acknowledgements travel in messages, so someone who has nothing to say must
 * speak all the same as long as others may wait for it. That is what periodic_sync reminds of.
 */
static void keep_alive(struct host *host, struct json event)
{
    struct json first = json_next(json_member(event, "channelIds"), (struct json){NULL, NULL});

    if (first.at != NULL && !host->sent_since_sync) { /* we have one channel: named or not */
        char id[128];
        snprintf(id, sizeof id, "keep-alive-%s-%" PRIu64, host->name, host->notes.drafts + 1);
        note_draft(host, id, KEEP_ALIVE_TEXT);
        send_draft(host, id, KEEP_ALIVE_TEXT);
    }
    host->sent_since_sync = false;
}

static void handle_event(struct host *host, struct json event)
{
    char *type = json_text(json_member(event, "eventType"));
    char *id = json_text(json_member(event, "messageId")); /* empty where there is none */

    if (strcmp(type, "message_ready") == 0) {
        deliver(host, DELIVERED, id);
    } else if (strcmp(type, "repair_ready") == 0) {
        send_again(host, event, REPAIR);
    } else if (strcmp(type, "resend_ready") == 0) {
        send_again(host, event, RESENT);
    } else if (strcmp(type, "periodic_sync") == 0) {
        keep_alive(host, event);
    } else if (strcmp(type, "missing_dependencies") == 0) {
        report_missing(host, event, id);
    } else if (strcmp(type, "message_sent") == 0) {
        report_id(host, ACKNOWLEDGED, id);
    } else if (strcmp(type, "message_delivery_failed") == 0) {
        report_id(host, GIVEN_UP, id);
    } /* else: one that a later version of the library added, or that our configuration excludes */
    free(id);
    free(type);
}

/* Handles what the inbox holds, and what that causes, until it is empty. Call it after each call of the library. */
static void drain_inbox(struct host *host)
{
    struct inbox *inbox = &host->inbox;

    for (;;) {
        pthread_mutex_lock(&inbox->lock);
        char **events = inbox->events;
        size_t count = inbox->count;
        inbox->events = NULL;
        inbox->count = 0;
        pthread_mutex_unlock(&inbox->lock);
        for (size_t i = 0; i < count; i++) {
            handle_event(host, (struct json){events[i], events[i] + strlen(events[i])});
            free(events[i]);
        }
        free(events);
        if (count == 0) {
            return;
        }
    }
}

/* ---- Opening and closing ---------------------------------------------------------------------- */

/* With a store, if it is to have one; its path becomes a JSON string. For the caller to free. */
static char *make_configuration(unsigned round_ms, const char *store)
{
    size_t size = sizeof INTERVALS + sizeof NUMBERS + 2 * strlen(store) + 100;
    char *configuration = grow(NULL, size);
    char *to = configuration;

    *to++ = '{';
    to += snprintf(to, size - 1, INTERVALS, REPAIR_MIN * round_ms, REPAIR_MAX * round_ms, REPAIR_SWEEP * round_ms,
                   RESEND * round_ms, BUFFER_SWEEP * round_ms, SYNC * round_ms);
    to += snprintf(to, sizeof NUMBERS + 2, ", %s", NUMBERS);
    if (*store != '\0') {
        static const char key[] = ", \"storePath\": \"";
        memcpy(to, key, sizeof key - 1);
        to += sizeof key - 1;
        for (; *store != '\0'; store++) { /* it holds no control characters: chat.c has seen to that */
            if (*store == '"' || *store == '\\') {
                *to++ = '\\';
            }
            *to++ = *store;
        }
        *to++ = '"';
    }
    memcpy(to, "}", sizeof "}");
    return configuration;
}

/* What an earlier process died over: see the top of this file. */
static void catch_up(struct host *host)
{
    struct notes *notes = &host->notes;

    for (size_t i = 0; i < notes->unsettled_count; i++) {
        struct unsettled *unsettled = &notes->unsettled[i];
        if (unsettled->kind == NOTE_RECEIVED) {
            take_payload(host, unsettled->number, unsettled->data);
        } else {
            char *text = copy_text((const char *)unsettled->data.data, unsettled->data.length);
            send_draft(host, unsettled->id, text);
            free(text);
        }
        drain_inbox(host);
        free(unsettled->id);
        free(unsettled->data.data);
    }
    free(notes->unsettled);
    notes->unsettled = NULL;
    notes->unsettled_count = 0;
}

static void open_participant(struct host *host, unsigned round_ms, const char *store)
{
    struct reply reply = {.status = RET_OK};
    char *configuration = make_configuration(round_ms, store);

    host->sds = SdsNewReliabilityManagerWithConfig(host->name, configuration, on_result, &reply);
    check(host, "SdsNewReliabilityManagerWithConfig", host->sds != NULL ? RET_OK : RET_ERR, &reply);
    free(reply.text);
    free(configuration);

    /* before anything can happen, so that no event comes too early */
    SdsSetEventCallback(host->sds, on_event, &host->inbox);

    catch_up(host);

    reply = (struct reply){.status = RET_OK};
    int returned = SdsStartPeriodicTasks(host->sds, on_result, &reply);
    check(host, "SdsStartPeriodicTasks", returned, &reply);
    free(reply.text);
}

/* No callback comes any more once this has returned. What the store has stays there. */
static void close_participant(struct host *host)
{
    struct reply reply = {.status = RET_OK};
    int returned = SdsCleanupReliabilityManager(host->sds, on_result, &reply);

    check(host, "SdsCleanupReliabilityManager", returned, &reply);
    free(reply.text);
    host->sds = NULL;
}

/* ---- The process ------------------------------------------------------------------------------ */

static void handle_request(struct host *host, enum frame_kind kind, struct bytes body)
{
    if (kind == SAY) {
        char *id = take_text(&body);
        char *text = take_text(&body);
        note_draft(host, id, text);
        send_draft(host, id, text);
        free(text);
        free(id);
    } else if (kind == TAKE) {
        struct bytes payload = take_bytes(&body);
        take_payload(host, note_received(host, payload), payload);
    } else {
        fail("%s got a request that it does not know", host->name);
    }
    drain_inbox(host);
    report(host, DONE, &(struct bytes){NULL, 0});
}

/* Returns when nothing will come any more: the conversation is over, or its process has died. */
static void serve(struct host *host)
{
    struct bytes input = {NULL, 0};
    struct pollfd sources[] = {{.fd = host->socket, .events = POLLIN}, {.fd = host->inbox.wake[0], .events = POLLIN}};

    for (;;) {
        if (poll(sources, 2, -1) < 0 && errno != EINTR) {
            fail("%s cannot wait for something to do: %s", host->name, strerror(errno));
        }
        char wakes[64];
        while (read(host->inbox.wake[0], wakes, sizeof wakes) > 0) {
            /* one for each event; what they announce is all in the inbox */
        }
        drain_inbox(host);
        if (!receive_bytes(host->socket, MSG_DONTWAIT, &input)) {
            free(input.data);
            return;
        }
        struct bytes rest = input;
        struct bytes body;
        enum frame_kind kind;
        while (next_frame(&rest, &kind, &body)) {
            handle_request(host, kind, body);
        }
        drop_front(&input, input.length - rest.length);
    }
}

static void make_inbox(struct inbox *inbox)
{
    bool good = pthread_mutex_init(&inbox->lock, NULL) == 0 && pipe(inbox->wake) == 0;

    for (int i = 0; good && i < 2; i++) {
        good = fcntl(inbox->wake[i], F_SETFD, FD_CLOEXEC) == 0 && fcntl(inbox->wake[i], F_SETFL, O_NONBLOCK) == 0;
    }
    if (!good) {
        fail("cannot make an inbox: %s", strerror(errno));
    }
}

static void free_host(struct host *host)
{
    for (size_t i = 0; i < host->inbox.count; i++) {
        free(host->inbox.events[i]);
    }
    for (size_t i = 0; i < host->waiting_count; i++) {
        free_entry(&host->waiting[i].entry);
    }
    free(host->inbox.events);
    free(host->waiting);
    free_entries(&host->log);
    close(host->inbox.wake[0]);
    close(host->inbox.wake[1]);
    pthread_mutex_destroy(&host->inbox.lock);
    if (host->notes.file >= 0) {
        close(host->notes.file);
    }
}

/* chat --participant NAME ROUND_MS STORE NOTES: chat.c starts it. Files with an empty name are not kept. */
int be_participant(int argc, char **argv)
{
    struct host host = {.socket = STDIN_FILENO, .notes = {.file = -1}};
    struct stat status;

    if (argc != 6 || fstat(STDIN_FILENO, &status) != 0 || !S_ISSOCK(status.st_mode)) {
        complain("option %s is for processes that chat starts itself; try 'chat --help'", PARTICIPANT_ARGUMENT);
        return EXIT_BAD_INPUT;
    }
    host.name = argv[2];
    make_inbox(&host.inbox);
    if (*argv[5] != '\0') {
        open_notes(&host, argv[5]);
    }
    open_participant(&host, (unsigned)strtoul(argv[3], NULL, 10), argv[4]);
    report(&host, DONE, &(struct bytes){NULL, 0});
    serve(&host);
    close_participant(&host);
    free_host(&host);
    return EXIT_LOGS_AGREE;
}
