/*
 * chat.c - a conversation over a network that loses, doubles and delays messages.
 *
 * Every participant of the conversation has a libsds context of its own. What one of them says is
 * wrapped by the library and broadcast to the others over a network that lives in this process and
 * is bad on purpose. The library notices the gaps, asks for repairs, answers, resends; the program
 * only carries bytes. At the end all participants must hold the same log.
 *
 * A host of libsds does five things, and they are the ones to copy from here:
 *
 *   1. open_participant   creates a context, sets the event callback, starts the periodic tasks
 *   2. send_message       wraps a text and puts the bytes on the network
 *   3. receive_copy       unwraps the bytes that the network brought
 *   4. handle_event       broadcasts what the library wants to be sent, notes what it reports
 *   5. close_participant  cleans up
 *
 * Threads: a callback comes either from inside a call of ours, on our thread, or from the library's
 * timer thread. So the event callback does one thing, it puts a copy of the event in the inbox,
 * under a mutex; all the rest of the program runs on the main thread and needs no lock.
 *
 * Build:  cc -std=c11 -pthread examples/c/chat.c -lsds -o chat     (README.md beside it says more)
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libsds.h>

/* The file to read when none is named, and where to look for it next; a build may set that. */
#define CONVERSATION_HERE "examples/data/conversation.txt"
#ifndef CONVERSATION_ELSEWHERE
#define CONVERSATION_ELSEWHERE "../data/conversation.txt"
#endif

#define CHANNEL "meadow"
#define KEEP_ALIVE_TEXT "still here"

/*
 * Intervals that suit a network whose packets take 20 ms, so that the whole story fits in a few
 * seconds; the library's defaults suit the Internet (30 s to 5 min). What deserves a word:
 *
 *   maxCausalHistory      each message names its whole past, so whoever missed a message long ago
 *                         hears of it again with every message that comes
 *   missingDependencyTimeoutMs   0: never give up on a gap
 *   bloomFilterCapacity   each message carries a filter of what its sender has received; one for
 *                         2,000 messages takes 4 KB on the wire, the default for 10,000 takes 19 KB
 */
static const char CONFIG[] =
    "{\"repairTMinMs\": 40, \"repairTMaxMs\": 200, \"repairSweepIntervalMs\": 20,"
    " \"maxRepairRequests\": 10, \"resendIntervalMs\": 300, \"maxResendAttempts\": 10,"
    " \"bufferSweepIntervalMs\": 50, \"syncMessageIntervalMs\": 200,"
    " \"maxCausalHistory\": 1000, \"missingDependencyTimeoutMs\": 0,"
    " \"bloomFilterCapacity\": 2000, \"maxMessageHistory\": 2000}";

enum {
    ROUND_MS = 20,             /* one round of the network: what a packet in time takes */
    MAX_PAUSE_ROUNDS = 6,      /* between two lines: from none (said at once) to this */
    MIN_LATE_ROUNDS = 4,       /* a late packet takes this many rounds more ... */
    MAX_LATE_ROUNDS = 12,      /* ... to this many */
    MAX_DOUBLE_ROUNDS = 8,     /* a doubled packet comes again after at most this */
    ACK_PATIENCE_MS = 2000,    /* once the logs are complete: wait for acknowledgements this long */
    LIVE_PROGRESS_MS = 100,    /* on a terminal, progress is drawn this often ... */
    PLAIN_PROGRESS_MS = 2000,  /* ... elsewhere it is a line each two seconds */
    MIN_PARTICIPANTS = 2,
    MAX_PARTICIPANTS = 8,
    MAX_NAME_LETTERS = 16,
    MAX_TEXT_BYTES = 1000,
    MAX_LINE_BYTES = 2000,
    MAX_LINES = 999
};

enum { EXIT_LOGS_AGREE = 0, EXIT_RUN_FAILED = 1, EXIT_BAD_INPUT = 2 };

/* ---- Screen: the timeline on stdout, the progress line on stderr ------------------------------ */

static struct {
    bool timeline; /* false with --quiet, which silences the progress too */
    bool live;     /* stderr is a terminal: one progress line that is drawn over */
    bool drawn;    /* it stands on the terminal now */
} screen;

/* The two may share a terminal, so the progress line goes before anything else is printed. */
static void erase_progress(void)
{
    if (screen.drawn) {
        fputs("\r\033[K", stderr);
        screen.drawn = false;
    }
}

/* Reports why the run cannot go on, and ends it. Main thread only. */
static _Noreturn void fail(const char *format, ...)
{
    va_list arguments;

    erase_progress();
    fflush(stdout);
    fputs("chat: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(EXIT_RUN_FAILED);
}

/* Reports bad input; the caller ends with EXIT_BAD_INPUT. */
static void complain(const char *format, ...)
{
    va_list arguments;

    fputs("chat: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

/* False after a complaint: output that got lost, on a full disk say, is no success. */
static bool flush_output(void)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        complain("cannot write to standard output: %s", strerror(errno));
        return false;
    }
    return true;
}

/* ---- Memory and text -------------------------------------------------------------------------- */

struct bytes {
    unsigned char *data;
    size_t length;
};

/* Also called from callbacks on the library's thread, hence no fail() and no exit handlers. */
static void *grow(void *block, size_t size)
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

static char *copy_text(const char *text, size_t length)
{
    char *copy = grow(NULL, length + 1);

    if (length > 0) {
        memcpy(copy, text, length);
    }
    copy[length] = '\0';
    return copy;
}

static struct bytes copy_bytes(struct bytes original)
{
    struct bytes copy = {grow(NULL, original.length), original.length};

    if (original.length > 0) {
        memcpy(copy.data, original.data, original.length);
    }
    return copy;
}

/* The length in bytes of the UTF-8 character that text starts with; 0 if it is none. */
static size_t utf8_length(const char *text)
{
    const unsigned char *byte = (const unsigned char *)text;
    size_t length = 0;

    if (byte[0] < 0x80) {
        length = 1;
    } else if (byte[0] >= 0xC2 && byte[0] < 0xE0) {
        length = 2;
    } else if (byte[0] >= 0xE0 && byte[0] < 0xF0) {
        length = 3;
    } else if (byte[0] >= 0xF0 && byte[0] < 0xF5) {
        length = 4;
    }
    for (size_t i = 1; i < length; i++) {
        if ((byte[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (byte[0] == 0xE0 && byte[1] < 0xA0) || (byte[0] == 0xF0 && byte[1] < 0x90);
    bool surrogate = byte[0] == 0xED && byte[1] > 0x9F;
    bool beyond_unicode = byte[0] == 0xF4 && byte[1] > 0x8F;
    return overlong || surrogate || beyond_unicode ? 0 : length;
}

/* How many letters a (valid) text has, for columns that line up: printf counts bytes. */
static int letters(const char *text)
{
    int count = 0;

    for (; *text != '\0'; text++) {
        count += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return count;
}

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

/*
 * A host never needs to look into the bytes that it carries. This one tells a story about them, so
 * it does what a network analyser does: the packets are protobuf, with the message id in field 1,
 * the Lamport timestamp in field 2 and the entries that the sender asks for in field 13, each with
 * an id of its own in field 1.
 */
enum { FIELD_ID = 1, FIELD_LAMPORT = 2, FIELD_REPAIR_REQUEST = 13 };

struct field {
    uint64_t number;
    uint64_t value;        /* of a number */
    struct bytes contents; /* of a string, bytes or a nested message; points into the packet */
};

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
static bool next_field(struct bytes *rest, struct field *field)
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

/* ---- The conversation ------------------------------------------------------------------------- */

struct line {
    size_t speaker; /* index in names */
    char *text;
};

struct conversation {
    char *names[MAX_PARTICIPANTS];
    size_t name_count;
    struct line *lines;
    size_t line_count;
};

static void free_conversation(struct conversation *conversation)
{
    for (size_t i = 0; i < conversation->name_count; i++) {
        free(conversation->names[i]);
    }
    for (size_t i = 0; i < conversation->line_count; i++) {
        free(conversation->lines[i].text);
    }
    free(conversation->lines);
}

/* Says what is wrong with the bytes of a line; NULL if nothing is. They end up on a terminal. */
static const char *fault_in_bytes(const char *text)
{
    while (*text != '\0') {
        size_t step = utf8_length(text);
        if (step == 0) {
            return "is not valid UTF-8";
        }
        if ((unsigned char)*text < 0x20 || *text == 0x7F) {
            return "holds a control character (a tab, perhaps)";
        }
        text += step;
    }
    return NULL;
}

/* Adds one line of the file, without its line end. Says what is wrong with it, or returns NULL. */
static const char *add_line(struct conversation *conversation, char *text)
{
    while (*text == ' ') {
        text++;
    }
    if (*text == '\0' || *text == '#') {
        return NULL;
    }
    char *colon = strchr(text, ':');
    if (colon == NULL) {
        return "has no colon; expected \"name: text\", a comment that starts with #, or a blank line";
    }
    char *said = colon + 1;
    while (*said == ' ') {
        said++;
    }
    while (colon > text && colon[-1] == ' ') {
        colon--;
    }
    *colon = '\0';
    if (*text == '\0') {
        return "has no name before the colon; expected \"name: text\"";
    }
    if (letters(text) > MAX_NAME_LETTERS) {
        return "has a name of more than 16 letters before the colon";
    }
    if (*said == '\0') {
        return "has no text after the colon; expected \"name: text\"";
    }
    if (strlen(said) > MAX_TEXT_BYTES) {
        return "has a text of more than 1000 bytes";
    }
    if (conversation->line_count == MAX_LINES) {
        return "is one too many; a conversation has at most 999 lines";
    }
    size_t speaker = 0;
    while (speaker < conversation->name_count && strcmp(conversation->names[speaker], text) != 0) {
        speaker++;
    }
    if (speaker == MAX_PARTICIPANTS) {
        return "brings in a ninth name; a conversation has at most 8 participants";
    }
    if (speaker == conversation->name_count) {
        conversation->names[conversation->name_count++] = copy_text(text, strlen(text));
    }
    conversation->lines = grow(conversation->lines, (conversation->line_count + 1) * sizeof *conversation->lines);
    conversation->lines[conversation->line_count++] = (struct line){speaker, copy_text(said, strlen(said))};
    return NULL;
}

/* Reads the whole file; false after a complaint that names the file, the line and what is wrong. */
static bool parse_conversation(FILE *file, const char *path, struct conversation *conversation)
{
    char buffer[MAX_LINE_BYTES + 1];
    size_t line_number = 0;
    const char *fault = NULL;

    while (fault == NULL && fgets(buffer, sizeof buffer, file) != NULL) {
        char *text = buffer;
        size_t length = strlen(buffer);
        line_number++;
        if (length > 0 && buffer[length - 1] == '\n') {
            buffer[--length] = '\0';
        } else if (!feof(file)) {
            fault = length == MAX_LINE_BYTES ? "is too long" : "holds a NUL byte, so this is not a text file";
            break;
        }
        if (length > 0 && buffer[length - 1] == '\r') {
            buffer[--length] = '\0';
        }
        if (line_number == 1 && strncmp(text, "\xEF\xBB\xBF", 3) == 0) { /* an editor's byte order mark */
            text += 3;
        }
        fault = fault_in_bytes(text);
        if (fault == NULL) {
            fault = add_line(conversation, text);
        }
    }
    int read_error = ferror(file) ? errno : 0;
    if (fault != NULL) {
        complain("%s:%zu: this line %s", path, line_number, fault);
        return false;
    }
    if (read_error != 0) {
        complain("%s: cannot be read: %s", path, strerror(read_error));
        return false;
    }
    if (conversation->name_count < MIN_PARTICIPANTS) {
        complain("%s: has lines by %zu participant%s; a conversation takes 2 to 8 (lines of the form \"name: text\")",
                 path, conversation->name_count, conversation->name_count == 1 ? "" : "s");
        return false;
    }
    return true;
}

/* path: what the user named, "-" for standard input, or NULL for the conversation that comes with us. */
static bool read_conversation(const char *path, struct conversation *conversation)
{
    bool from_stdin = path != NULL && strcmp(path, "-") == 0;
    const char *name = from_stdin ? "standard input" : path != NULL ? path : CONVERSATION_HERE;
    FILE *file = from_stdin ? stdin : fopen(name, "r");

    if (file == NULL && path == NULL && errno == ENOENT) {
        name = CONVERSATION_ELSEWHERE;
        file = fopen(name, "r");
        if (file == NULL && errno == ENOENT) {
            complain("there is no %s in this directory, and no %s either; name a conversation: chat FILE",
                     CONVERSATION_HERE, CONVERSATION_ELSEWHERE);
            return false;
        }
    }
    if (file == NULL) {
        complain("%s: cannot be opened: %s", name, strerror(errno));
        return false;
    }
    bool good = parse_conversation(file, name, conversation);
    if (!from_stdin) {
        fclose(file);
    }
    return good;
}

/* ---- Options ---------------------------------------------------------------------------------- */

struct options {
    unsigned loss;      /* percent of copies */
    unsigned duplicate; /* percent of copies */
    unsigned reorder;   /* percent of copies */
    uint64_t seed;
    unsigned timeout;   /* seconds after the last line */
    bool quiet;
    bool help;
    const char *path; /* NULL: the conversation that comes with the program */
};

static const struct options DEFAULTS = {.loss = 20, .duplicate = 10, .reorder = 20, .seed = 1, .timeout = 30};

static void print_help(void)
{
    printf("Usage: chat [OPTION]... [FILE]\n"
           "\n"
           "Lets the participants of a conversation talk over a network, inside this process, that loses,\n"
           "doubles and delays what they send, and shows how libsds brings them to identical logs.\n"
           "FILE holds lines of the form \"name: text\" by 2 to 8 participants (\"-\": standard input);\n"
           "default: " CONVERSATION_HERE ".\n"
           "\n"
           "  -l, --loss=PERCENT       lose so many of the copies sent, 0 to 100 (default %u)\n"
           "  -d, --duplicate=PERCENT  let so many arrive twice, 0 to 100 (default %u)\n"
           "  -r, --reorder=PERCENT    let so many arrive late, after later ones, 0 to 100 (default %u)\n"
           "  -s, --seed=NUMBER        another network and another rhythm, 0 to 2^64-1 (default %" PRIu64 ")\n"
           "  -t, --timeout=SECONDS    give up so long after the last line, 1 to 3600 (default %u)\n"
           "  -q, --quiet              print the closing table only\n"
           "  -h, --help               print this and exit\n"
           "\n"
           "A line sent to two others is two copies, each with a fate of its own. The network works in\n"
           "rounds of %d ms: a copy arrives in the next round, or %d to %d rounds later when it is late.\n"
           "\n"
           "What a seed repeats: the pauses between the lines and, for the n-th time that a participant\n"
           "sends a certain message, what happens to each copy. What it does not: the moments at which\n"
           "the library's timers run, and so how often something is asked for or sent again.\n"
           "\n"
           "Exit status: 0 if all logs agree and are complete, 1 if not within the time limit or if the\n"
           "library fails, 2 if an option or the file is wrong.\n",
           DEFAULTS.loss, DEFAULTS.duplicate, DEFAULTS.reorder, DEFAULTS.seed, DEFAULTS.timeout, ROUND_MS,
           MIN_LATE_ROUNDS, MAX_LATE_ROUNDS);
}

/* Digits only: strtoull alone would take "-1", " 7" and "" too. */
static bool parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *number)
{
    if (*text == '\0' || strspn(text, "0123456789") != strlen(text)) {
        return false;
    }
    errno = 0;
    unsigned long long parsed = strtoull(text, NULL, 10);
    if (errno != 0 || parsed < least || parsed > most) {
        return false;
    }
    *number = parsed;
    return true;
}

/* False after a complaint that names the option and what it takes. */
static bool parse_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"loss", required_argument, NULL, 'l'},    {"duplicate", required_argument, NULL, 'd'},
        {"reorder", required_argument, NULL, 'r'}, {"seed", required_argument, NULL, 's'},
        {"timeout", required_argument, NULL, 't'}, {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    int letter;

    opterr = 0; /* the complaints are ours */
    while ((letter = getopt_long(argc, argv, ":l:d:r:s:t:qh", known, NULL)) != -1) {
        const char *name = "";
        const char *takes = "a whole number from 0 to 100, in percent";
        uint64_t number = 0;
        bool good = true;

        for (const struct option *option = known; option->name != NULL; option++) {
            if (option->val == (letter == ':' ? optopt : letter)) {
                name = option->name;
            }
        }
        switch (letter) {
        case 'l':
            good = parse_number(optarg, 0, 100, &number);
            options->loss = (unsigned)number;
            break;
        case 'd':
            good = parse_number(optarg, 0, 100, &number);
            options->duplicate = (unsigned)number;
            break;
        case 'r':
            good = parse_number(optarg, 0, 100, &number);
            options->reorder = (unsigned)number;
            break;
        case 's':
            takes = "a whole number from 0 to 18446744073709551615";
            good = parse_number(optarg, 0, UINT64_MAX, &options->seed);
            break;
        case 't':
            takes = "a whole number from 1 to 3600, in seconds";
            good = parse_number(optarg, 1, 3600, &number);
            options->timeout = (unsigned)number;
            break;
        case 'q':
            options->quiet = true;
            break;
        case 'h':
            options->help = true;
            break;
        case ':':
            complain("option --%s needs a value; try 'chat --help'", name);
            return false;
        default:
            /* optopt: a short option that is unknown, or a long one that got a value it does not take */
            if (optopt != 0 && strncmp(argv[optind - 1], "--", 2) != 0) {
                complain("unknown option -%c; try 'chat --help'", optopt);
            } else {
                complain("option %s is unknown, ambiguous or takes no value; try 'chat --help'", argv[optind - 1]);
            }
            return false;
        }
        if (!good) {
            complain("option --%s takes %s, not '%s'", name, takes, optarg);
            return false;
        }
    }
    if (argc - optind > 1) {
        complain("one conversation at a time: '%s' follows '%s'; try 'chat --help'", argv[optind + 1], argv[optind]);
        return false;
    }
    options->path = argv[optind]; /* NULL when there is none */
    return true;
}

/* ---- The state of a run ----------------------------------------------------------------------- */

/* Events wait here for the main thread. The only thing that two threads share. */
struct inbox {
    pthread_mutex_t lock;
    struct event {
        struct participant *participant;
        char *json;
    } *events;
    size_t count;
};

/* What a participant knows of a line: with it, it builds its log as any host would. */
struct log_entry {
    uint64_t lamport;
    char *id;
    char *sender;
    char *text;
};

struct entry_list {
    struct log_entry *entries;
    size_t count;
};

/* What the closing table counts for each participant. */
enum count {
    SAID, KEEP_ALIVES, LOST, DOUBLED, LATE, REPEATS, GAPS, ASKED, ANSWERED, REPAIRED, RESENDS, ACKNOWLEDGED, GIVEN_UP,
    COUNTS
};

static const char *const COUNT_NAMES[COUNTS] = {
    [SAID] = "lines said",
    [KEEP_ALIVES] = "keep-alives sent",
    [LOST] = "copies lost on the way to",
    [DOUBLED] = "copies doubled by the network",
    [LATE] = "copies delayed by the network",
    [REPEATS] = "copies of what was there already",
    [GAPS] = "messages found missing",
    [ASKED] = "repairs asked for",
    [ANSWERED] = "repairs sent to others",
    [REPAIRED] = "messages that a repair brought",
    [RESENDS] = "messages resent for want of an ack",
    [ACKNOWLEDGED] = "own lines acknowledged",
    [GIVEN_UP] = "own lines given up resending",
};

struct participant {
    const char *name; /* also the participant id */
    size_t index;
    void *sds;
    struct inbox *inbox;
    struct entry_list held; /* received, waiting for message_ready: the library may hold it back */
    struct entry_list log;  /* delivered or own, by (lamport, id): the order that the library keeps too */
    bool sent_since_sync;   /* no keep-alive is needed from one who talks anyway */
    unsigned counts[COUNTS];
};

/* What the storyteller, who sees everything, keeps about a message. No participant reads it. */
struct message {
    char id[24];
    char label[24];       /* #12 for line 12, k3 for the third keep-alive */
    const struct line *line; /* NULL: a keep-alive */
    size_t sender;
    struct message *answers_to; /* the newest line that the speaker's log held */
    unsigned transmissions[MAX_PARTICIPANTS]; /* how often each participant has sent it */
    bool received[MAX_PARTICIPANTS], delivered[MAX_PARTICIPANTS], missed[MAX_PARTICIPANTS];
    bool settled; /* acknowledged, or the library has given up resending */
};

enum carriage { FIRST_TIME, RESENT, REPAIR };

/* One copy of a packet on its way to one participant. */
struct packet {
    struct bytes bytes;
    const struct message *message;
    size_t receiver;
    enum carriage carriage;
    unsigned due; /* the round in which it arrives */
};

struct run {
    const struct options *options;
    const struct conversation *conversation;
    struct participant participants[MAX_PARTICIPANTS];
    size_t participant_count;
    struct inbox inbox;
    struct message **messages; /* pointers, so that growing moves no message */
    size_t message_count;
    struct packet *packets; /* in order of sending */
    size_t packet_count;
    unsigned round;
    size_t lines_said, deliveries, lines_settled;
    unsigned keep_alives;
    unsigned told_late;     /* lines delivered before the line that they answer: must stay 0 */
    uint64_t started_ms, last_progress_ms;
    int name_width;
};

static uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A line of the timeline: when, who, does what, and the rest. */
static void tell(const struct run *run, const char *who, const char *does, const char *format, ...)
{
    va_list arguments;

    if (!screen.timeline) {
        return;
    }
    erase_progress();
    double seconds = (double)(clock_ms() - run->started_ms) / 1000;
    printf("%6.2f  %s%*s  %-12s ", seconds, who, run->name_width - letters(who), "", does);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

static void show_progress(struct run *run)
{
    uint64_t now = clock_ms();
    uint64_t interval = screen.live ? LIVE_PROGRESS_MS : PLAIN_PROGRESS_MS;
    bool erased = screen.live && !screen.drawn; /* by a line of the timeline */
    size_t lines = run->conversation->line_count;

    if (run->options->quiet || (now - run->last_progress_ms < interval && !erased)) {
        return;
    }
    run->last_progress_ms = now;
    erase_progress();
    /* less than 80 columns on a terminal: a line that wraps cannot be erased */
    fprintf(stderr, "%s%zu/%zu said, %zu/%zu delivered, %zu/%zu acknowledged, %zu packets on the way%s",
            screen.live ? "" : "chat: ", run->lines_said, lines, run->deliveries, lines * (run->participant_count - 1),
            run->lines_settled, lines, run->packet_count, screen.live ? "" : "\n");
    screen.drawn = screen.live;
}

/* A short list of labels for one line of the timeline. */
struct labels {
    char text[160];
    size_t length;
    size_t left_out;
};

static void add_label(struct labels *labels, const char *label)
{
    size_t length = strlen(label);

    if (labels->length + length + 2 > sizeof labels->text) {
        labels->left_out++;
        return;
    }
    if (labels->length > 0) {
        labels->text[labels->length++] = ' ';
    }
    memcpy(labels->text + labels->length, label, length + 1);
    labels->length += length;
}

static void tell_labels(const struct run *run, const struct participant *who, const char *does,
                        const struct labels *labels, const char *rest)
{
    if (labels->left_out > 0) {
        tell(run, who->name, does, "%s and %zu more%s", labels->text, labels->left_out, rest);
    } else if (labels->length > 0) {
        tell(run, who->name, does, "%s%s", labels->text, rest);
    }
}

static struct message *find_message(const struct run *run, const char *id)
{
    for (size_t i = run->message_count; i-- > 0;) { /* the newest are asked for most */
        if (strcmp(run->messages[i]->id, id) == 0) {
            return run->messages[i];
        }
    }
    fail("the library named a message that nobody has sent: '%s'", id);
}

static struct message *find_message_in(const struct run *run, struct json object)
{
    char *id = json_text(json_member(object, "messageId"));
    struct message *message = find_message(run, id);

    free(id);
    return message;
}

/* ---- Logs ------------------------------------------------------------------------------------- */

static int compare_entries(const struct log_entry *left, const struct log_entry *right)
{
    if (left->lamport != right->lamport) {
        return left->lamport < right->lamport ? -1 : 1;
    }
    return strcmp(left->id, right->id);
}

/* Takes over the entry's texts. */
static void insert_entry(struct entry_list *list, struct log_entry entry)
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

/* Hands the entry's texts over to the caller. */
static struct log_entry take_entry(struct entry_list *list, const char *id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->entries[i].id, id) == 0) {
            struct log_entry entry = list->entries[i];
            list->count--;
            memmove(&list->entries[i], &list->entries[i + 1], (list->count - i) * sizeof *list->entries);
            return entry;
        }
    }
    fail("the library delivered a message that never arrived: '%s'", id);
}

static void free_entries(struct entry_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->entries[i].id);
        free(list->entries[i].sender);
        free(list->entries[i].text);
    }
    free(list->entries);
}

/* ---- The network ------------------------------------------------------------------------------ */

/* The mixing step of splitmix64: neighbouring inputs give unrelated outputs. */
static uint64_t mix(uint64_t value)
{
    value += 0x9E3779B97F4A7C15;
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
    value = (value ^ value >> 27) * 0x94D049BB133111EB;
    return value ^ value >> 31;
}

/*
 * The fate of a copy is computed from what it is, not drawn from a common sequence: so one packet
 * more or less, which the timers may cause, does not change the fate of all that follow.
 */
struct fate {
    bool lost, late, doubled;
    unsigned delay, second_delay;
};

static struct fate fate_of(const struct options *options, const struct message *message, size_t sender, size_t receiver)
{
    uint64_t key = mix(options->seed);

    for (const char *at = message->id; *at != '\0'; at++) {
        key = mix(key ^ (unsigned char)*at);
    }
    key = mix(key ^ message->transmissions[sender]);
    key = mix(key ^ (sender * MAX_PARTICIPANTS + receiver));
    struct fate fate;
    fate.lost = mix(key + 1) % 100 < options->loss;
    fate.late = mix(key + 2) % 100 < options->reorder;
    fate.doubled = mix(key + 3) % 100 < options->duplicate;
    fate.delay = 1;
    if (fate.late) {
        fate.delay += MIN_LATE_ROUNDS + (unsigned)(mix(key + 4) % (MAX_LATE_ROUNDS - MIN_LATE_ROUNDS + 1));
    }
    fate.second_delay = fate.delay + 1 + (unsigned)(mix(key + 5) % MAX_DOUBLE_ROUNDS);
    return fate;
}

static void post(struct run *run, struct bytes bytes, const struct message *message, size_t receiver,
                 enum carriage carriage, unsigned delay)
{
    run->packets = grow(run->packets, (run->packet_count + 1) * sizeof *run->packets);
    run->packets[run->packet_count++] =
        (struct packet){copy_bytes(bytes), message, receiver, carriage, run->round + delay};
}

/* Sends a copy to everybody else and tells what the network does to it. */
static void broadcast(struct run *run, size_t sender, struct message *message, struct bytes bytes,
                      enum carriage carriage)
{
    message->transmissions[sender]++;
    for (size_t i = 0; i < run->participant_count; i++) {
        if (i == sender) {
            continue;
        }
        struct participant *receiver = &run->participants[i];
        struct fate fate = fate_of(run->options, message, sender, i);
        if (fate.lost) {
            receiver->counts[LOST]++;
            tell(run, "network", "loses", "%s on its way to %s", message->label, receiver->name);
            continue;
        }
        if (fate.late) {
            receiver->counts[LATE]++;
            tell(run, "network", "delays", "%s for %s by %u rounds", message->label, receiver->name, fate.delay - 1);
        }
        post(run, bytes, message, i, carriage, fate.delay);
        if (fate.doubled) {
            receiver->counts[DOUBLED]++;
            tell(run, "network", "doubles", "%s for %s", message->label, receiver->name);
            post(run, bytes, message, i, carriage, fate.second_delay);
        }
    }
}

/* ---- Participants: calling the library -------------------------------------------------------- */

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
    struct participant *participant = user_data;
    struct inbox *inbox = participant->inbox;

    if (status != RET_OK) {
        return; /* an event has no status but this one */
    }
    pthread_mutex_lock(&inbox->lock);
    inbox->events = grow(inbox->events, (inbox->count + 1) * sizeof *inbox->events);
    inbox->events[inbox->count++] = (struct event){participant, copy_text(json, length)};
    pthread_mutex_unlock(&inbox->lock);
}

/* Two things can go wrong with a call: the arguments (returned) and the operation (in the callback). */
static void check(const struct participant *participant, const char *call, int returned, const struct reply *reply)
{
    if (returned != RET_OK || reply->status != RET_OK) {
        fail("%s of %s failed: %s", call, participant->name, reply->length > 0 ? reply->text : "no reason given");
    }
}

static void open_participant(struct participant *participant)
{
    struct reply reply = {.status = RET_OK};

    participant->sds = SdsNewReliabilityManagerWithConfig(participant->name, CONFIG, on_result, &reply);
    check(participant, "SdsNewReliabilityManagerWithConfig", participant->sds != NULL ? RET_OK : RET_ERR, &reply);
    free(reply.text);

    /* before the tasks start, so that no event comes too early */
    SdsSetEventCallback(participant->sds, on_event, participant);

    reply = (struct reply){.status = RET_OK};
    int returned = SdsStartPeriodicTasks(participant->sds, on_result, &reply);
    check(participant, "SdsStartPeriodicTasks", returned, &reply);
    free(reply.text);
}

/* No callback of this participant comes any more once this has returned. */
static void close_participant(struct participant *participant)
{
    struct reply reply = {.status = RET_OK};
    int returned = SdsCleanupReliabilityManager(participant->sds, on_result, &reply);

    check(participant, "SdsCleanupReliabilityManager", returned, &reply);
    free(reply.text);
    participant->sds = NULL;
}

/* The bytes to broadcast, for the caller to free. */
static struct bytes wrap(struct participant *participant, const char *text, const char *id)
{
    struct reply reply = {.status = RET_OK};
    /* the ABI's parameter is not const, but the library only reads */
    int returned = SdsWrapOutgoingMessage(participant->sds, (void *)text, strlen(text), id, CHANNEL, on_result, &reply);

    check(participant, "SdsWrapOutgoingMessage", returned, &reply);
    struct bytes bytes = read_decimal_bytes((struct json){reply.text, reply.text + reply.length});
    free(reply.text);
    return bytes;
}

/* The result as JSON, for the caller to free. */
static char *unwrap(struct participant *participant, struct bytes bytes, struct json *result)
{
    struct reply reply = {.status = RET_OK};
    int returned = SdsUnwrapReceivedMessage(participant->sds, bytes.data, bytes.length, on_result, &reply);

    check(participant, "SdsUnwrapReceivedMessage", returned, &reply);
    *result = (struct json){reply.text, reply.text + reply.length};
    return reply.text;
}

static char *id_in(struct bytes bytes)
{
    struct field field;

    while (next_field(&bytes, &field)) {
        if (field.number == FIELD_ID) {
            return copy_text((const char *)field.contents.data, field.contents.length);
        }
    }
    fail("a packet has no message id");
}

/* Tells which repairs a freshly wrapped message asks for, and returns its Lamport timestamp. */
static uint64_t inspect_own_packet(struct run *run, struct participant *sender, const struct message *message,
                                   struct bytes bytes)
{
    struct labels asked = {.length = 0};
    uint64_t lamport = 0;
    struct field field;

    while (next_field(&bytes, &field)) {
        if (field.number == FIELD_LAMPORT) {
            lamport = field.value;
        } else if (field.number == FIELD_REPAIR_REQUEST) {
            char *id = id_in(field.contents);
            add_label(&asked, find_message(run, id)->label);
            sender->counts[ASKED]++;
            free(id);
        }
    }
    char rest[40];
    snprintf(rest, sizeof rest, " (with %s)", message->label);
    tell_labels(run, sender, "asks for", &asked, rest);
    return lamport;
}

/* line: what to say, or NULL for a keep-alive. */
static void send_message(struct run *run, struct participant *sender, const struct line *line)
{
    struct message *message = grow(NULL, sizeof *message);
    const char *text = line != NULL ? line->text : KEEP_ALIVE_TEXT;

    *message = (struct message){.line = line, .sender = sender->index};
    if (line != NULL) {
        size_t number = ++run->lines_said;
        snprintf(message->id, sizeof message->id, "line-%03zu", number);
        snprintf(message->label, sizeof message->label, "#%zu", number);
        sender->counts[SAID]++;
        tell(run, sender->name, "says", "%s %s", message->label, text);
    } else {
        unsigned number = ++run->keep_alives;
        snprintf(message->id, sizeof message->id, "keep-alive-%05u", number);
        snprintf(message->label, sizeof message->label, "k%u", number);
        sender->counts[KEEP_ALIVES]++;
        tell(run, sender->name, "is", "still here (%s)", message->label);
    }
    run->messages = grow(run->messages, (run->message_count + 1) * sizeof *run->messages);
    run->messages[run->message_count++] = message;

    struct bytes bytes = wrap(sender, text, message->id);
    uint64_t lamport = inspect_own_packet(run, sender, message, bytes);
    message->received[sender->index] = message->delivered[sender->index] = true;
    if (line != NULL) {
        /* one's own message is in one's log at once; no message_ready comes for it */
        if (sender->log.count > 0) {
            message->answers_to = find_message(run, sender->log.entries[sender->log.count - 1].id);
        }
        insert_entry(&sender->log, (struct log_entry){.lamport = lamport,
                                                      .id = copy_text(message->id, strlen(message->id)),
                                                      .sender = copy_text(sender->name, strlen(sender->name)),
                                                      .text = copy_text(text, strlen(text))});
    }
    sender->sent_since_sync = true;
    broadcast(run, sender->index, message, bytes, FIRST_TIME);
    free(bytes.data);
}

/* Lines are kept until the library says that everything they depend on is there too. */
static void receive_copy(struct run *run, const struct packet *packet)
{
    struct participant *receiver = &run->participants[packet->receiver];
    struct json result;
    char *json = unwrap(receiver, packet->bytes, &result);
    struct message *message = find_message_in(run, result);

    if (message->received[receiver->index]) {
        receiver->counts[REPEATS]++;
    } else {
        message->received[receiver->index] = true;
        if (packet->carriage == REPAIR) {
            receiver->counts[REPAIRED]++;
        }
        if (message->line != NULL) {
            struct bytes text = read_decimal_bytes(json_member(result, "message"));
            uint64_t lamport = json_number(json_member(result, "lamportTimestamp"));
            insert_entry(&receiver->held, (struct log_entry){.lamport = lamport,
                                                             .id = json_text(json_member(result, "messageId")),
                                                             .sender = json_text(json_member(result, "senderId")),
                                                             .text = copy_text((char *)text.data, text.length)});
            free(text.data);
        }
    }
    free(json);
}

/* ---- Events ----------------------------------------------------------------------------------- */

/* Looks at what is missing once: the library names it again with each message that waits for it. */
static void note_gap(struct run *run, struct participant *participant, struct json event)
{
    const struct message *waiting = find_message_in(run, event);
    struct json dependencies = json_member(event, "missingDeps");
    struct labels missed = {.length = 0};

    for (struct json dependency = json_next(dependencies, (struct json){NULL, NULL}); dependency.at != NULL;
         dependency = json_next(dependencies, dependency)) {
        struct message *message = find_message_in(run, dependency);
        /* what has been received only waits for something else that is missing */
        if (!message->missed[participant->index] && !message->received[participant->index]) {
            message->missed[participant->index] = true;
            participant->counts[GAPS]++;
            add_label(&missed, message->label);
        }
    }
    char rest[60];
    snprintf(rest, sizeof rest, " (which %s builds on)", waiting->label);
    tell_labels(run, participant, "misses", &missed, rest);
}

/* The library wants this message of its log to be broadcast again: for a peer, or for want of an ack. */
static void send_again(struct run *run, struct participant *participant, struct json event, enum carriage carriage)
{
    char *base64 = json_text(json_member(event, "message"));
    struct bytes bytes = read_base64(base64);
    char *id = id_in(bytes);
    struct message *message = find_message(run, id);

    if (carriage == REPAIR) {
        participant->counts[ANSWERED]++;
        tell(run, participant->name, "repairs", "%s, which a peer asked for", message->label);
    } else {
        participant->counts[RESENDS]++;
        tell(run, participant->name, "resends", "%s, nobody has acknowledged it", message->label);
    }
    broadcast(run, participant->index, message, bytes, carriage);
    free(id);
    free(bytes.data);
    free(base64);
}

/* Lines go from what is held to the log; adds what there is to tell about it. */
static void deliver(struct run *run, struct participant *participant, struct json event, struct labels *told)
{
    struct message *message = find_message_in(run, event);

    message->delivered[participant->index] = true;
    if (message->line == NULL) {
        return;
    }
    insert_entry(&participant->log, take_entry(&participant->held, message->id));
    run->deliveries++;
    if (message->answers_to != NULL && !message->answers_to->delivered[participant->index]) {
        run->told_late++;
    }
    add_label(told, message->label);
}

/* A message of the participant's own will not be sent again: somebody has it, or nobody confirmed it. */
static void settle(struct run *run, struct participant *participant, struct json event, bool acknowledged,
                   struct labels *told)
{
    struct message *message = find_message_in(run, event);

    if (message->line == NULL || message->settled) {
        return;
    }
    message->settled = true;
    run->lines_settled++;
    if (acknowledged) {
        participant->counts[ACKNOWLEDGED]++;
    } else {
        participant->counts[GIVEN_UP]++;
    }
    add_label(told, message->label);
}

/*
 * Repair requests and acknowledgements travel in messages, so someone who has nothing to say must
 * speak all the same as long as others may wait for it. That is what periodic_sync reminds of.
 */
static void keep_alive(struct run *run, struct participant *participant, struct json event)
{
    struct json first = json_next(json_member(event, "channelIds"), (struct json){NULL, NULL});

    if (first.at != NULL && !participant->sent_since_sync) { /* we have one channel: named or not */
        send_message(run, participant, NULL);
    }
    participant->sent_since_sync = false;
}

/* delivered and acknowledged collect what is told in one line each, once all events are handled. */
static void handle_event(struct run *run, struct participant *participant, struct json event,
                         struct labels *delivered, struct labels *acknowledged)
{
    char *type = json_text(json_member(event, "eventType"));

    if (strcmp(type, "message_ready") == 0) {
        deliver(run, participant, event, delivered);
    } else if (strcmp(type, "message_sent") == 0) {
        settle(run, participant, event, true, acknowledged);
    } else if (strcmp(type, "missing_dependencies") == 0) {
        note_gap(run, participant, event);
    } else if (strcmp(type, "repair_ready") == 0) {
        send_again(run, participant, event, REPAIR);
    } else if (strcmp(type, "resend_ready") == 0) {
        send_again(run, participant, event, RESENT);
    } else if (strcmp(type, "periodic_sync") == 0) {
        keep_alive(run, participant, event);
    } else if (strcmp(type, "message_delivery_failed") == 0) {
        struct labels abandoned = {.length = 0};
        settle(run, participant, event, false, &abandoned);
        tell_labels(run, participant, "gives up", &abandoned, ", never acknowledged");
    } /* else: one that a later version of the library added, or that our configuration excludes */
    free(type);
}

/*
 * Handles what the inbox holds, and what that causes, until it is empty. Call it after each call of
 * the library, so that the events of one call are told together.
 */
static void drain_inbox(struct run *run)
{
    for (;;) {
        pthread_mutex_lock(&run->inbox.lock);
        struct event *events = run->inbox.events;
        size_t count = run->inbox.count;
        run->inbox.events = NULL;
        run->inbox.count = 0;
        pthread_mutex_unlock(&run->inbox.lock);
        if (count == 0) {
            free(events);
            return;
        }
        struct labels delivered[MAX_PARTICIPANTS] = {{.length = 0}};
        struct labels acknowledged[MAX_PARTICIPANTS] = {{.length = 0}};
        for (size_t i = 0; i < count; i++) {
            size_t who = events[i].participant->index;
            struct json event = {events[i].json, events[i].json + strlen(events[i].json)};
            handle_event(run, events[i].participant, event, &delivered[who], &acknowledged[who]);
            free(events[i].json);
        }
        free(events);
        for (size_t i = 0; i < run->participant_count; i++) {
            tell_labels(run, &run->participants[i], "delivers", &delivered[i], "");
            tell_labels(run, &run->participants[i], "knows", &acknowledged[i], " arrived");
        }
    }
}

/* ---- The run ---------------------------------------------------------------------------------- */

static void deliver_due_packets(struct run *run)
{
    size_t kept = 0;
    size_t count = run->packet_count;

    /* what a delivery makes others send goes to the end of the array and is due later */
    for (size_t i = 0; i < count; i++) {
        struct packet packet = run->packets[i];
        if (packet.due > run->round) {
            run->packets[kept++] = packet;
            continue;
        }
        receive_copy(run, &packet);
        free(packet.bytes.data);
        drain_inbox(run);
    }
    memmove(&run->packets[kept], &run->packets[count], (run->packet_count - count) * sizeof *run->packets);
    run->packet_count -= count - kept;
}

static void wait_for_round(const struct run *run)
{
    uint64_t due = run->started_ms + (uint64_t)run->round * ROUND_MS;
    uint64_t now = clock_ms();

    if (now < due) {
        nanosleep(&(struct timespec){0, (long)(due - now) * 1000000}, NULL);
    }
}

/* Returns when the logs are complete and acknowledged, or when there is no more time for it. */
static void converse(struct run *run)
{
    const struct conversation *conversation = run->conversation;
    size_t deliveries_due = conversation->line_count * (run->participant_count - 1);
    unsigned next_line_round = 1;
    uint64_t all_said_ms = 0, complete_ms = 0;

    run->started_ms = run->last_progress_ms = clock_ms();
    for (;;) {
        run->round++;
        wait_for_round(run);
        drain_inbox(run);
        deliver_due_packets(run);
        while (run->lines_said < conversation->line_count && next_line_round <= run->round) {
            const struct line *line = &conversation->lines[run->lines_said];
            send_message(run, &run->participants[line->speaker], line);
            drain_inbox(run);
            next_line_round += (unsigned)(mix(mix(run->options->seed) ^ run->lines_said) % (MAX_PAUSE_ROUNDS + 1));
        }
        show_progress(run);

        uint64_t now = clock_ms();
        if (run->lines_said < conversation->line_count) {
            continue;
        }
        if (all_said_ms == 0) {
            all_said_ms = now;
        }
        if (complete_ms == 0 && run->deliveries == deliveries_due) {
            complete_ms = now;
        }
        bool patience_over = complete_ms != 0 && now - complete_ms >= ACK_PATIENCE_MS;
        bool settled = complete_ms != 0 && run->lines_settled == conversation->line_count;
        if (settled || patience_over || now - all_said_ms >= (uint64_t)run->options->timeout * 1000) {
            erase_progress();
            return;
        }
    }
}

/* ---- The closing table ------------------------------------------------------------------------ */

/* A fingerprint (FNV-1a) of all that a log says, in its order: for the eye, the check compares it all. */
static uint32_t fingerprint(const struct entry_list *log)
{
    uint32_t hash = 2166136261;

    for (size_t i = 0; i < log->count; i++) {
        const char *texts[] = {log->entries[i].id, log->entries[i].sender, log->entries[i].text};
        for (size_t j = 0; j < sizeof texts / sizeof *texts; j++) {
            for (const char *at = texts[j]; *at != '\0'; at++) {
                hash = (hash ^ (unsigned char)*at) * 16777619;
            }
        }
    }
    return hash;
}

static void print_table(const struct run *run)
{
    printf("\n  %-34s", "");
    for (size_t i = 0; i < run->participant_count; i++) {
        const char *name = run->participants[i].name;
        printf("  %*s%s", run->name_width - letters(name), "", name);
    }
    printf("  %*s\n", run->name_width, "all");
    for (size_t count = 0; count < COUNTS; count++) {
        unsigned sum = 0;
        printf("  %-34s", COUNT_NAMES[count]);
        for (size_t i = 0; i < run->participant_count; i++) {
            printf("  %*u", run->name_width, run->participants[i].counts[count]);
            sum += run->participants[i].counts[count];
        }
        printf("  %*u\n", run->name_width, sum);
    }
    size_t logged = 0;
    printf("  %-34s", "lines in the log");
    for (size_t i = 0; i < run->participant_count; i++) {
        printf("  %*zu", run->name_width, run->participants[i].log.count);
        logged += run->participants[i].log.count;
    }
    printf("  %*zu\n  %-34s", run->name_width, logged, "fingerprint of the log");
    for (size_t i = 0; i < run->participant_count; i++) {
        printf("  %*s%08" PRIx32, run->name_width - 8, "", fingerprint(&run->participants[i].log));
    }
    double seconds = (double)(clock_ms() - run->started_ms) / 1000;
    printf("\n  %-34s  %.2f s, %u rounds of the network\n", "time", seconds, run->round);
    printf("  %-34s  loss %u %%, doubled %u %%, delayed %u %%, seed %" PRIu64 "\n\n", "the network", run->options->loss,
           run->options->duplicate, run->options->reorder, run->options->seed);
}

static bool same_entry(const struct log_entry *left, const struct log_entry *right)
{
    return compare_entries(left, right) == 0 && strcmp(left->sender, right->sender) == 0 &&
           strcmp(left->text, right->text) == 0;
}

/* Compares everything with everything, and says what came of it. */
static bool logs_agree(const struct run *run)
{
    const struct conversation *conversation = run->conversation;
    const struct entry_list *first = &run->participants[0].log;
    size_t out_of_file_order = 0;
    bool agree = true;

    for (size_t i = 0; i < run->participant_count; i++) {
        const struct participant *participant = &run->participants[i];
        if (participant->log.count != conversation->line_count) {
            complain("%u s after the last line, the log of %s has %zu of the %zu lines", run->options->timeout,
                     participant->name, participant->log.count, conversation->line_count);
            agree = false;
            continue;
        }
        for (size_t j = 0; first->count == conversation->line_count && j < first->count; j++) {
            if (!same_entry(&participant->log.entries[j], &first->entries[j])) {
                complain("entry %zu of the log of %s is not the one in the log of %s", j + 1, participant->name,
                         run->participants[0].name);
                agree = false;
                break;
            }
        }
    }
    for (size_t i = 0; i < first->count; i++) {
        const struct log_entry *entry = &first->entries[i];
        const struct line *line = find_message(run, entry->id)->line;
        if (strcmp(entry->text, line->text) != 0 || strcmp(entry->sender, conversation->names[line->speaker]) != 0) {
            complain("%s is not in the log as it was said", entry->id);
            agree = false;
        }
        out_of_file_order += i > 0 && strcmp(first->entries[i - 1].id, entry->id) > 0;
    }
    if (run->told_late > 0) {
        complain("%u times a line was delivered before the one that it builds on", run->told_late);
        agree = false;
    }
    if (!agree) {
        printf("The logs do not agree.\n");
        return false;
    }
    printf("The %zu logs agree: the same %zu lines, word for word, in the same order, which is that of the\n"
           "library's clock (Lamport timestamp, then message id). No line was delivered before the newest one\n"
           "that its speaker had heard.",
           run->participant_count, conversation->line_count);
    if (out_of_file_order > 0) {
        printf(" In %zu place%s the order is not that of the file: a line was said before\n"
               "the speaker had heard the one above it.",
               out_of_file_order, out_of_file_order == 1 ? "" : "s");
    }
    putchar('\n');
    return true;
}

/* ---- All of it -------------------------------------------------------------------------------- */

static bool hold_conversation(const struct options *options, const struct conversation *conversation)
{
    struct run run = {.options = options, .conversation = conversation, .participant_count = conversation->name_count};
    run.name_width = 8; /* as wide as "network" and a fingerprint need it */

    if (pthread_mutex_init(&run.inbox.lock, NULL) != 0) {
        fail("cannot make a mutex");
    }
    for (size_t i = 0; i < run.participant_count; i++) {
        struct participant *participant = &run.participants[i];
        participant->name = conversation->names[i];
        participant->index = i;
        participant->inbox = &run.inbox;
        if (letters(participant->name) > run.name_width) {
            run.name_width = letters(participant->name);
        }
    }
    if (screen.timeline) {
        printf("%zu participants, %zu lines; #1, #2, ... are lines, k1, k2, ... keep-alives. Times in seconds.\n\n",
               run.participant_count, conversation->line_count);
    }
    for (size_t i = 0; i < run.participant_count; i++) {
        open_participant(&run.participants[i]);
    }
    converse(&run);
    print_table(&run);
    bool agree = logs_agree(&run);

    for (size_t i = 0; i < run.participant_count; i++) {
        close_participant(&run.participants[i]);
        free_entries(&run.participants[i].held);
        free_entries(&run.participants[i].log);
    }
    for (size_t i = 0; i < run.inbox.count; i++) {
        free(run.inbox.events[i].json);
    }
    for (size_t i = 0; i < run.packet_count; i++) {
        free(run.packets[i].bytes.data);
    }
    for (size_t i = 0; i < run.message_count; i++) {
        free(run.messages[i]);
    }
    free(run.inbox.events);
    free(run.packets);
    free(run.messages);
    pthread_mutex_destroy(&run.inbox.lock);
    return agree;
}

int main(int argc, char **argv)
{
    struct options options = DEFAULTS;
    struct conversation conversation = {.name_count = 0};

    if (!parse_options(argc, argv, &options)) {
        return EXIT_BAD_INPUT;
    }
    if (options.help) {
        print_help();
        return flush_output() ? EXIT_LOGS_AGREE : EXIT_RUN_FAILED;
    }
    if (!read_conversation(options.path, &conversation)) {
        free_conversation(&conversation);
        return EXIT_BAD_INPUT;
    }
    const char *terminal = getenv("TERM");
    screen.timeline = !options.quiet;
    screen.live = isatty(STDERR_FILENO) && terminal != NULL && strcmp(terminal, "dumb") != 0;
    /* whole lines, so that stdout and stderr keep their order where both go to one place */
    setvbuf(stdout, NULL, _IOLBF, 0);

    bool agree = hold_conversation(&options, &conversation);
    free_conversation(&conversation);
    return flush_output() && agree ? EXIT_LOGS_AGREE : EXIT_RUN_FAILED;
}
