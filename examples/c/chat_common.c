/*
 * chat_common.c - what both sides of the example need: complaints, memory, frames, and packets as a
 * network analyser reads them. Nothing in here has to do with the library.
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chat.h"

/* ---- Complaints ------------------------------------------------------------------------------- */

/* Only the process of the conversation draws one. */
bool progress_drawn;

void draw_progress(const char *text)
{
    fputs(text, stderr);
    progress_drawn = true;
}

/* The timeline may share the terminal, so the progress line goes before anything else is printed. */
void erase_progress(void)
{
    if (progress_drawn) {
        fputs("\r\033[K", stderr);
        progress_drawn = false;
    }
}

static void complain_about(const char *format, va_list arguments)
{
    erase_progress();
    fflush(stdout);
    fputs("chat: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

/* Reports what is wrong; the caller decides how to end. */
void complain(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    complain_about(format, arguments);
    va_end(arguments);
}

/* Reports why the run cannot go on, and ends the process. Main thread only. */
_Noreturn void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    complain_about(format, arguments);
    va_end(arguments);
    exit(EXIT_RUN_FAILED);
}

/* ---- Memory ----------------------------------------------------------------------------------- */

/* Also called from callbacks on the library's thread, hence no fail() and no exit handlers. */
void *grow(void *block, size_t size)
{
    void *grown = realloc(block, size > 0 ? size : 1);

    if (grown == NULL) {
        static const char message[] = "chat: out of memory\n";
        if (write(STDERR_FILENO, message, sizeof message - 1) < 0) {
            /* nothing is left to tell it with */
        }
        _Exit(EXIT_RUN_FAILED);
    }
    return grown;
}

char *copy_text(const char *text, size_t length)
{
    char *copy = grow(NULL, length + 1);

    if (length > 0) {
        memcpy(copy, text, length);
    }
    copy[length] = '\0';
    return copy;
}

struct bytes copy_bytes(struct bytes original)
{
    struct bytes copy = {grow(NULL, original.length), original.length};

    if (original.length > 0) {
        memcpy(copy.data, original.data, original.length);
    }
    return copy;
}

/* ---- Logs ------------------------------------------------------------------------------------- */

int compare_entries(const struct entry *left, const struct entry *right)
{
    if (left->lamport != right->lamport) {
        return left->lamport < right->lamport ? -1 : 1;
    }
    return strcmp(left->id, right->id);
}

/* Takes over the entry's texts. */
void insert_entry(struct entry_list *list, struct entry entry)
{
    size_t place = list->count;

    list->entries = grow(list->entries, (list->count + 1) * sizeof *list->entries);
    while (place > 0 && compare_entries(&entry, &list->entries[place - 1]) < 0) {
        list->entries[place] = list->entries[place - 1];
        place--;
    }
    list->entries[place] = entry;
    list->count++;
}

/* NULL: it is not there. */
struct entry *find_entry(const struct entry_list *list, const char *id)
{
    for (size_t i = list->count; i-- > 0;) { /* the newest are asked for most */
        if (strcmp(list->entries[i].id, id) == 0) {
            return &list->entries[i];
        }
    }
    return NULL;
}

void free_entry(struct entry *entry)
{
    free(entry->id);
    free(entry->sender);
    free(entry->text);
}

/* The list is empty afterwards, and may be used again. */
void free_entries(struct entry_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free_entry(&list->entries[i]);
    }
    free(list->entries);
    *list = (struct entry_list){.count = 0};
}

/* ---- Frames ----------------------------------------------------------------------------------- */

enum { FRAME_HEADER = 9, READ_AT_ONCE = 65536 };

static void put(struct bytes *body, const void *data, size_t length)
{
    body->data = grow(body->data, body->length + length);
    if (length > 0) {
        memcpy(body->data + body->length, data, length);
    }
    body->length += length;
}

void put_number(struct bytes *body, uint64_t number)
{
    unsigned char bytes[8];

    for (int i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(number >> 8 * i);
    }
    put(body, bytes, sizeof bytes);
}

void put_bytes(struct bytes *body, struct bytes bytes)
{
    put_number(body, bytes.length);
    put(body, bytes.data, bytes.length);
}

void put_text(struct bytes *body, const char *text)
{
    put_number(body, strlen(text));
    put(body, text, strlen(text));
}

void put_entry(struct bytes *body, const struct entry *entry)
{
    put_number(body, entry->lamport);
    put_text(body, entry->id);
    put_text(body, entry->sender);
    put_text(body, entry->text);
}

static uint64_t number_at(const unsigned char *data)
{
    uint64_t number = 0;

    for (int i = 0; i < 8; i++) {
        number |= (uint64_t)data[i] << 8 * i;
    }
    return number;
}

uint64_t take_number(struct bytes *body)
{
    if (body->length < 8) {
        fail("a frame ends in the middle of a number");
    }
    uint64_t number = number_at(body->data);
    body->data += 8;
    body->length -= 8;
    return number;
}

struct bytes take_bytes(struct bytes *body)
{
    uint64_t length = take_number(body);

    if (length > body->length) {
        fail("a frame is shorter than what it says that it holds");
    }
    struct bytes bytes = {body->data, (size_t)length};
    body->data += length;
    body->length -= (size_t)length;
    return bytes;
}

char *take_text(struct bytes *body)
{
    struct bytes bytes = take_bytes(body);

    return copy_text((const char *)bytes.data, bytes.length);
}

struct entry take_entry(struct bytes *body)
{
    struct entry entry;

    entry.lamport = take_number(body);
    entry.id = take_text(body);
    entry.sender = take_text(body);
    entry.text = take_text(body);
    return entry;
}

/* Frees the body, and leaves it empty. The frame is for the caller to free. */
struct bytes make_frame(enum frame_kind kind, struct bytes *body)
{
    struct bytes frame = {NULL, 0};
    unsigned char letter = (unsigned char)kind;

    put(&frame, &letter, 1);
    put_bytes(&frame, *body);
    free(body->data);
    *body = (struct bytes){NULL, 0};
    return frame;
}

/* Takes the next frame off the front of rest; false if it is not all there (yet). */
bool next_frame(struct bytes *rest, enum frame_kind *kind, struct bytes *body)
{
    if (rest->length < FRAME_HEADER || number_at(rest->data + 1) > rest->length - FRAME_HEADER) {
        return false;
    }
    *kind = (enum frame_kind)rest->data[0];
    rest->data++;
    rest->length--;
    *body = take_bytes(rest);
    return true;
}

/* Adds what has come to the input. False when nothing will come any more: the other side has ended. */
bool receive_bytes(int socket, int flags, struct bytes *input)
{
    ssize_t count;

    input->data = grow(input->data, input->length + READ_AT_ONCE);
    do {
        count = recv(socket, input->data + input->length, READ_AT_ONCE, flags);
    } while (count < 0 && errno == EINTR);
    if (count > 0) {
        input->length += (size_t)count;
    } else if (count == 0 || errno == ECONNRESET) { /* reset: it has ended without reading all that we said */
        return false;
    } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
        fail("cannot read from another process: %s", strerror(errno));
    }
    return true;
}

/* Once the frames at the front of the input have been handled. */
void drop_front(struct bytes *input, size_t length)
{
    if (length > 0) {
        memmove(input->data, input->data + length, input->length - length);
        input->length -= length;
    }
}

/* ---- Packets ---------------------------------------------------------------------------------- */

/*
 * The packets are protobuf, with the message id in field 1, the Lamport timestamp in field 2 and
 * the entries that the sender asks for in field 13, each with an id of its own in field 1.
 */
static uint64_t read_varint(struct bytes *rest)
{
    uint64_t value = 0;

    for (int shift = 0; shift < 64; shift += 7) {
        if (rest->length == 0) {
            break;
        }
        unsigned char byte = *rest->data++;
        rest->length--;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    fail("a packet is not the protobuf that it should be");
}

/* Takes the next field off the front of rest; false at its end. */
bool next_field(struct bytes *rest, struct field *field)
{
    if (rest->length == 0) {
        return false;
    }
    uint64_t tag = read_varint(rest);
    uint64_t value = read_varint(rest);
    bool has_contents = (tag & 7) == 2;
    *field = (struct field){tag >> 3, value, {rest->data, has_contents ? (size_t)value : 0}};
    if ((tag & 7) != 0 && !has_contents) {
        fail("a packet holds a field of a kind that SDS does not use");
    }
    if (field->contents.length > rest->length) {
        fail("a packet ends in the middle of a field");
    }
    rest->data += field->contents.length;
    rest->length -= field->contents.length;
    return true;
}
