/*
 * chat.c - a conversation over a network that loses, doubles and delays messages, and in which one
 * participant is killed again and again.
 *
 * This process is the network, the storyteller and the judge. Every participant is a process of its
 * own, which this one starts: the same program, told to be that participant. Those are the hosts of
 * libsds, and what they do is in chat_participant.c, the file to copy from. They share nothing but
 * the network. At the end all participants must hold the same log.
 *
 * A participant takes two requests (chat.h): SAY a line, which its user has typed, and TAKE a packet,
 * which the network has brought. On its own it reports what is to be broadcast and what has come
 * into its log. The one that is killed keeps its state in two files, one of the library and one of
 * its own; the others need none.
 *
 * A crash is a SIGKILL, a moment after a request was sent, so that the participant dies somewhere in
 * the middle of its work: before anything happened, between the two files, or when all is done but
 * not reported. What it had reported by then still counts. A packet that it died over is not sent
 * again, it is one more that the network has lost; a line that it does not have when it comes back
 * is typed again.
 *
 * Build, in this directory:  cc -std=c11 -pthread chat.c chat_participant.c chat_common.c -lsds -o chat
 * (README.md in the directory above says more.)
 */

#define _XOPEN_SOURCE 700 /* POSIX of 2008, with SA_ONSTACK */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "chat.h"

/* The file to read when none is named, and where to look for it next; a build may set that. */
#define CONVERSATION_HERE "examples/data/conversation.txt"
#ifndef CONVERSATION_ELSEWHERE
#define CONVERSATION_ELSEWHERE "../data/conversation.txt"
#endif

extern char **environ;

enum {
    ROUND_MS = 20,             /* one round of the network: what a packet in time takes, at least */
    DISK_TRIALS = 8,           /* to see how fast the disk is */
    MAX_PAUSE_ROUNDS = 6,      /* between two lines: from none (said at once) to this */
    MIN_LATE_ROUNDS = 4,       /* a late packet takes this many rounds more ... */
    MAX_LATE_ROUNDS = 12,      /* ... to this many */
    MAX_DOUBLE_ROUNDS = 8,     /* a doubled packet comes again after at most this */
    MAX_PACKETS = 1000,        /* are on the way at a time, should the participants not keep up */
    MIN_DOWN_ROUNDS = 5,       /* who was killed is away for this many rounds ... */
    MAX_DOWN_ROUNDS = 15,      /* ... to this many */
    MAX_CRASH_PATIENCE = 6,    /* a crash over a packet lets at most this many others pass first */
    REST_ROUNDS = 25,          /* ... and once all is said, waits no longer than this for one */
    ACK_PATIENCE_ROUNDS = 100, /* once the logs are complete: wait for acknowledgements this long */
    ANSWER_PATIENCE_MS = 60000, /* for the answer of a process */
    LIVE_PROGRESS_MS = 100,    /* on a terminal, progress is drawn this often ... */
    PLAIN_PROGRESS_MS = 2000,  /* ... elsewhere it is a line each two seconds */
    MIN_PARTICIPANTS = 2,
    MAX_PARTICIPANTS = 8,
    MAX_NAME_LETTERS = 16,
    MAX_TEXT_BYTES = 1000,
    MAX_LINE_BYTES = 2000,
    MAX_LINES = 999,
    MAX_CRASHES = 100,
    MAX_STORE_BYTES = 4000,
    MAX_PATH_BYTES = 4096
};

/* ---- Screen and text -------------------------------------------------------------------------- */

static struct {
    bool timeline; /* on stdout; false with --quiet, which silences the progress too */
    bool live;     /* stderr is a terminal: one progress line that is drawn over */
} screen;

/* False after a complaint: output that got lost, on a full disk say, is no success. */
static bool flush_output(void)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        complain("cannot write to standard output: %s", strerror(errno));
        return false;
    }
    return true;
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
    unsigned crashes;
    const char *store; /* a directory; NULL: a temporary one, or none if there are no crashes */
    bool quiet;
    bool help;
    const char *path; /* NULL: the conversation that comes with the program */
};

static const struct options DEFAULTS = {.loss = 20, .duplicate = 10, .reorder = 20, .seed = 1, .timeout = 120,
                                        .crashes = 3};

static void print_help(void)
{
    printf("Usage: chat [OPTION]... [FILE]\n"
           "\n"
           "Lets the participants of a conversation talk over a network that loses, doubles and delays what\n"
           "they send, kills one of them in the middle of it, and shows how libsds brings them to identical\n"
           "logs. Each participant is a process of its own; the network is this one.\n"
           "FILE holds lines of the form \"name: text\" by 2 to 8 participants (\"-\": standard input);\n"
           "default: " CONVERSATION_HERE ".\n"
           "\n"
           "  -l, --loss=PERCENT       lose so many of the copies sent, 0 to 100 (default %u)\n"
           "  -d, --duplicate=PERCENT  let so many arrive twice, 0 to 100 (default %u)\n"
           "  -r, --reorder=PERCENT    let so many arrive late, after later ones, 0 to 100 (default %u)\n"
           "  -c, --crash=NUMBER       kill one participant so many times, 0 to %d (default %u)\n"
           "  -S, --store=DIRECTORY    where the participant that is killed keeps its files\n"
           "  -s, --seed=NUMBER        another network, rhythm and victim, 0 to 2^64-1 (default %" PRIu64 ")\n"
           "  -t, --timeout=SECONDS    give up so long after the last line, 1 to 3600 (default %u)\n"
           "  -q, --quiet              print the closing table only\n"
           "  -h, --help               print this and exit\n"
           "\n"
           "A line sent to two others is two copies, each with a fate of its own. The network works in\n"
           "rounds of %d ms (more if the disk is slow): a copy arrives in the next one, or %d to %d rounds\n"
           "later when it is late.\n"
           "\n"
           "A crash is a SIGKILL while a participant says a line, takes a packet in or comes back from the\n"
           "crash before. It comes back after %d to %d rounds with what its two files have, one of the library\n"
           "and one of the host. Without --store they are in a temporary directory, which is removed at the\n"
           "end. With it, the directory is made if it is missing, and the files stay there. It must not hold\n"
           "those of an earlier conversation: each run begins a new one. The other participants keep no\n"
           "files, and nobody does with --crash=0 and without --store.\n"
           "\n"
           "What a seed repeats: the pauses between the lines; for the n-th time that a participant sends a\n"
           "certain message, what happens to each copy; who is killed, at which point of the conversation\n"
           "and over what. What it does not: the moments at which the library's timers run, and so how often\n"
           "something is asked for or sent again; and how far a process is when it is killed.\n"
           "\n"
           "Exit status: 0 if all logs agree and are complete, 1 if not within the time limit or if the\n"
           "library fails, 2 if an option or the file is wrong.\n",
           DEFAULTS.loss, DEFAULTS.duplicate, DEFAULTS.reorder, MAX_CRASHES, DEFAULTS.crashes, DEFAULTS.seed,
           DEFAULTS.timeout, ROUND_MS, MIN_LATE_ROUNDS, MAX_LATE_ROUNDS, MIN_DOWN_ROUNDS, MAX_DOWN_ROUNDS);
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
        {"timeout", required_argument, NULL, 't'}, {"crash", required_argument, NULL, 'c'},
        {"store", required_argument, NULL, 'S'},   {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    int letter;

    opterr = 0; /* the complaints are ours */
    while ((letter = getopt_long(argc, argv, ":l:d:r:s:t:c:S:qh", known, NULL)) != -1) {
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
        case 'c':
            takes = "a whole number from 0 to 100";
            good = parse_number(optarg, 0, MAX_CRASHES, &number);
            options->crashes = (unsigned)number;
            break;
        case 'S':
            takes = "the name of a directory: UTF-8 without control characters, at most 4000 bytes";
            good = *optarg != '\0' && fault_in_bytes(optarg) == NULL && strlen(optarg) <= MAX_STORE_BYTES;
            options->store = optarg;
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

/* What the closing table counts for each participant. */
enum count {
    SAID, KEEP_ALIVES, LOST, DOUBLED, LATE, REPEATS, GAPS, ASKED, ANSWERED, REPAIRED, RESENDS, LINES_ACKNOWLEDGED,
    LINES_GIVEN_UP, CRASHES, FOUND_DOWN, RECALLED_LINES, SAID_AGAIN,
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
    [LINES_ACKNOWLEDGED] = "own lines acknowledged",
    [LINES_GIVEN_UP] = "own lines given up resending",
    [CRASHES] = "crashes",
    [FOUND_DOWN] = "copies that found it down",
    [RECALLED_LINES] = "lines recalled after a crash",
    [SAID_AGAIN] = "lines said again after a crash",
};

struct participant {
    const char *name;
    size_t index;
    pid_t process;         /* 0: it is down */
    int socket;            /* to it, while it is up */
    struct bytes input;    /* what has come from it and is not a whole frame yet */
    unsigned back_round;   /* while it is down: when it comes back */
    struct entry_list log; /* the lines of its log, as it reports them */
    unsigned counts[COUNTS];
};

/* What the storyteller, who sees everything, keeps about a message. No participant reads it. */
struct message {
    char id[128];
    char label[24];          /* #12 for line 12, k3 for the third keep-alive */
    const struct line *line; /* NULL: a keep-alive */
    size_t sender;
    bool said;       /* its sender has it in the log */
    bool cut_short;  /* its sender was killed over it */
    struct message *answers_to; /* the newest line that the speaker's log held */
    unsigned transmissions[MAX_PARTICIPANTS]; /* how often each participant has sent it */
    bool received[MAX_PARTICIPANTS], delivered[MAX_PARTICIPANTS], missed[MAX_PARTICIPANTS];
    bool settled; /* acknowledged, or the library has given up resending */
};

/* What a participant may be doing. */
enum work { SAYING, TAKING, STARTING, RESTING, WORKS };

/* One copy of a packet on its way to one participant. */
struct packet {
    struct bytes bytes;
    struct message *message;
    size_t receiver;
    enum carriage carriage;
    unsigned due; /* the round in which it arrives */
};

struct run {
    const struct options *options;
    const struct conversation *conversation;
    const char *program;   /* this one, for the processes of the participants */
    const char *directory; /* for their files; NULL: they keep none */
    struct participant participants[MAX_PARTICIPANTS];
    size_t participant_count;
    struct message **messages; /* pointers, so that growing moves no message */
    size_t message_count;
    struct packet *packets; /* in order of sending */
    size_t packet_count;
    unsigned round_ms, round;
    size_t lines_said, deliveries, lines_settled;
    unsigned keep_alives;
    unsigned told_late; /* lines delivered before the line that they answer: must stay 0 */
    size_t victim;      /* who is killed */
    unsigned crashes, patience, rest; /* so many so far; packets and rounds let pass before the next */
    uint64_t usual_us[WORKS];         /* what each work takes, of late */
    uint64_t started_ms, last_progress_ms;
    int name_width;
};

static uint64_t clock_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t clock_ms(void)
{
    return clock_us() / 1000;
}

static void sleep_us(uint64_t time)
{
    nanosleep(&(struct timespec){(time_t)(time / 1000000), (long)(time % 1000000) * 1000}, NULL);
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
    bool erased = screen.live && !progress_drawn; /* by a line of the timeline */
    size_t lines = run->conversation->line_count;
    char crashes[24] = "";
    char text[120];

    if (run->options->quiet || (now - run->last_progress_ms < interval && !erased)) {
        return;
    }
    run->last_progress_ms = now;
    if (run->options->crashes > 0) {
        snprintf(crashes, sizeof crashes, ", %u/%u crashes", run->crashes, run->options->crashes);
    }
    /* less than 80 columns on a terminal: a line that wraps cannot be erased */
    snprintf(text, sizeof text, "%zu/%zu said, %zu/%zu delivered, %zu/%zu acked, %zu packets%s", run->lines_said,
             lines, run->deliveries, lines * (run->participant_count - 1), run->lines_settled, lines,
             run->packet_count, crashes);
    erase_progress();
    if (screen.live) {
        draw_progress(text);
    } else {
        fprintf(stderr, "chat: %s\n", text);
    }
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
    return NULL;
}

static struct message *known_message(const struct run *run, const char *id)
{
    struct message *message = find_message(run, id);

    if (message == NULL) {
        fail("the library named a message that nobody has sent: '%s'", id);
    }
    return message;
}

/* line: what is to be said, or NULL for a keep-alive, which participants send on their own. */
static struct message *add_message(struct run *run, const char *id, const struct line *line, size_t sender)
{
    struct message *message = grow(NULL, sizeof *message);

    *message = (struct message){.line = line, .sender = sender};
    snprintf(message->id, sizeof message->id, "%s", id);
    if (line != NULL) {
        snprintf(message->label, sizeof message->label, "#%zu", (size_t)(line - run->conversation->lines) + 1);
    } else {
        snprintf(message->label, sizeof message->label, "k%u", ++run->keep_alives);
    }
    run->messages = grow(run->messages, (run->message_count + 1) * sizeof *run->messages);
    run->messages[run->message_count++] = message;
    return message;
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

static void post(struct run *run, struct bytes bytes, struct message *message, size_t receiver,
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
        if (fate.lost || run->packet_count >= MAX_PACKETS) {
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

/* ---- Crashes ---------------------------------------------------------------------------------- */

/*
 * The n-th crash, as the seed has it. It comes once enough lines have been said, in the middle of a
 * certain work: when a share of the time is over that this work usually takes here.
 */
struct crash {
    size_t lines;
    enum work work;
    unsigned patience; /* so many packets come through before */
    unsigned percent;
    unsigned down_rounds;
};

static struct crash crash_of(const struct run *run, unsigned number)
{
    uint64_t key = mix(mix(run->options->seed) ^ (uint64_t)number << 32);
    size_t lines = run->conversation->line_count;
    size_t share = lines / run->options->crashes; /* of the conversation for each crash */
    struct crash crash;

    /* by turns; every third one hits a process that is just coming back from the second */
    crash.work = number % 3 == 0 ? SAYING : number % 3 == 1 ? TAKING : STARTING;
    crash.lines = number * lines / run->options->crashes + (size_t)(mix(key + 1) % (share > 0 ? share : 1));
    crash.patience = crash.work == TAKING ? (unsigned)(mix(key + 2) % (MAX_CRASH_PATIENCE + 1)) : 0;
    crash.percent = (unsigned)(mix(key + 3) % 101);
    crash.down_rounds = MIN_DOWN_ROUNDS + (unsigned)(mix(key + 4) % (MAX_DOWN_ROUNDS - MIN_DOWN_ROUNDS + 1));
    return crash;
}

/* Whether the participant dies over this work, which it has been given just now. */
static bool crash_is_due(struct run *run, const struct participant *participant, enum work work)
{
    if (run->crashes == run->options->crashes || participant->index != run->victim) {
        return false;
    }
    struct crash crash = crash_of(run, run->crashes);
    bool all_said = run->lines_said == run->conversation->line_count; /* what is still to come, comes now */
    if (work == STARTING || crash.work == STARTING) {
        return work == crash.work;
    }
    return run->lines_said >= crash.lines && (all_said || (work == crash.work && run->patience++ >= crash.patience));
}

/* ---- What participants report ----------------------------------------------------------------- */

static char *id_in(struct bytes packet)
{
    struct field field;

    while (next_field(&packet, &field)) {
        if (field.number == FIELD_ID) {
            return copy_text((const char *)field.contents.data, field.contents.length);
        }
    }
    fail("a packet has no message id");
}

/*
 * Tells which repairs a new message asks for. Nobody needs to look into the bytes for that: here
 * the storyteller does it, as a network analyser would.
 */
static void tell_requests(struct run *run, struct participant *sender, const struct message *message,
                          struct bytes packet)
{
    struct labels asked = {.length = 0};
    struct field field;

    while (next_field(&packet, &field)) {
        if (field.number == FIELD_REPAIR_REQUEST) {
            char *id = id_in(field.contents);
            add_label(&asked, known_message(run, id)->label);
            sender->counts[ASKED]++;
            free(id);
        }
    }
    char rest[40];
    snprintf(rest, sizeof rest, " (with %s)", message->label);
    tell_labels(run, sender, "asks for", &asked, rest);
}

static void hear_broadcast(struct run *run, struct participant *sender, struct bytes body)
{
    enum carriage carriage = (enum carriage)take_number(&body);
    struct bytes packet = take_bytes(&body);
    char *id = id_in(packet);
    struct message *message = known_message(run, id);

    if (carriage == REPAIR) {
        sender->counts[ANSWERED]++;
        tell(run, sender->name, "repairs", "%s, which a peer asked for", message->label);
    } else if (carriage == RESENT) {
        sender->counts[RESENDS]++;
        tell(run, sender->name, "resends", "%s, nobody has acknowledged it", message->label);
    } else {
        tell_requests(run, sender, message, packet);
    }
    broadcast(run, sender->index, message, packet, carriage);
    free(id);
}

/* An own message is in its sender's log. For a line that counts as said; a keep-alive shows here first. */
static void hear_said(struct run *run, struct participant *sender, struct message *message, enum origin origin)
{
    if (message->said) {
        return; /* a process that came back has found it in its file */
    }
    message->said = true;
    if (message->line == NULL) {
        sender->counts[KEEP_ALIVES]++;
        tell(run, sender->name, "is", "still here (%s)", message->label);
        return;
    }
    run->lines_said++;
    sender->counts[SAID]++;
    if (message->cut_short && origin == OWN) {
        sender->counts[SAID_AGAIN]++;
        tell(run, sender->name, "says again", "%s, which it died over", message->label);
    }
}

/* delivered and recalled collect what is told in one line each. */
static void hear_logged(struct run *run, struct participant *participant, struct bytes body, struct labels *delivered,
                        struct labels *recalled)
{
    enum origin origin = (enum origin)take_number(&body);
    struct entry entry = take_entry(&body);
    bool own = strcmp(entry.sender, participant->name) == 0;

    if (own && find_message(run, entry.id) == NULL) {
        add_message(run, entry.id, NULL, participant->index);
    }
    struct message *message = known_message(run, entry.id);
    message->received[participant->index] = message->delivered[participant->index] = true;
    if (own) {
        hear_said(run, participant, message, origin);
    }
    if (message->line == NULL) {
        free_entry(&entry);
        return;
    }
    insert_entry(&participant->log, entry);
    run->deliveries += !own;
    if (origin == DELIVERED) {
        if (message->answers_to != NULL && !message->answers_to->delivered[participant->index]) {
            run->told_late++;
        }
        add_label(delivered, message->label);
    } else if (origin == RECALLED) {
        participant->counts[RECALLED_LINES]++;
        add_label(recalled, message->label);
    }
}

/* Looks at what is missing once: the library names it again with each message that waits for it. */
static void hear_missing(struct run *run, struct participant *participant, struct bytes body)
{
    char *id = take_text(&body);
    const struct message *waiting = known_message(run, id);
    struct labels missed = {.length = 0};

    free(id);
    while (body.length > 0) {
        id = take_text(&body);
        struct message *message = known_message(run, id);
        free(id);
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

/* A message of the participant's own will not be sent again: somebody has it, or nobody confirmed it. */
static void hear_settled(struct run *run, struct participant *participant, struct bytes body, enum count count,
                         struct labels *told)
{
    char *id = take_text(&body);
    struct message *message = known_message(run, id);

    free(id);
    if (message->line == NULL || message->settled) {
        return;
    }
    message->settled = true;
    run->lines_settled++;
    participant->counts[count]++;
    add_label(told, message->label);
}

/* Handles the frames that have come, and tells of them together. True when a request has been answered with them. */
static bool hear(struct run *run, struct participant *participant)
{
    struct labels delivered = {.length = 0}, recalled = {.length = 0};
    struct labels acknowledged = {.length = 0}, given_up = {.length = 0};
    struct bytes rest = participant->input;
    struct bytes body;
    enum frame_kind kind;
    bool done = false;

    while (next_frame(&rest, &kind, &body)) {
        if (kind == BROADCAST) {
            hear_broadcast(run, participant, body);
        } else if (kind == LOGGED) {
            hear_logged(run, participant, body, &delivered, &recalled);
        } else if (kind == MISSING) {
            hear_missing(run, participant, body);
        } else if (kind == ACKNOWLEDGED) {
            hear_settled(run, participant, body, LINES_ACKNOWLEDGED, &acknowledged);
        } else if (kind == GIVEN_UP) {
            hear_settled(run, participant, body, LINES_GIVEN_UP, &given_up);
        } else if (kind == DONE) {
            done = true;
        } else {
            fail("the process of %s says something that it should not", participant->name);
        }
    }
    drop_front(&participant->input, participant->input.length - rest.length);
    tell_labels(run, participant, "recalls", &recalled, ", which the library had delivered before the crash");
    tell_labels(run, participant, "delivers", &delivered, "");
    tell_labels(run, participant, "knows", &acknowledged, " arrived");
    tell_labels(run, participant, "gives up", &given_up, ", never acknowledged");
    return done;
}

/* ---- The processes of the participants -------------------------------------------------------- */

/* What must not be left behind, however this process ends. */
static struct {
    struct run *run;       /* its processes; NULL: there are none (any more) */
    const char *directory; /* a temporary one, with all files in it; NULL: there is none */
} litter;

static volatile sig_atomic_t ending_signal;

static void on_ending_signal(int number)
{
    ending_signal = number;
}

static void remove_directory(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *file;

    while (directory != NULL && (file = readdir(directory)) != NULL) {
        if (strcmp(file->d_name, ".") != 0 && strcmp(file->d_name, "..") != 0) {
            unlinkat(dirfd(directory), file->d_name, 0);
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
    rmdir(path);
}

static void clean_up(void)
{
    for (size_t i = 0; litter.run != NULL && i < litter.run->participant_count; i++) {
        pid_t process = litter.run->participants[i].process;
        if (process > 0) {
            kill(process, SIGKILL);
            while (waitpid(process, NULL, 0) < 0 && errno == EINTR) {
                /* its files can go once it is gone */
            }
        }
    }
    litter.run = NULL;
    if (litter.directory != NULL) {
        remove_directory(litter.directory);
        litter.directory = NULL;
    }
}

/* Whoever presses Ctrl-C sees it end as if the signal had not been caught. */
static void end_if_told(void)
{
    if (ending_signal != 0) {
        erase_progress();
        clean_up();
        signal(ending_signal, SIG_DFL);
        raise(ending_signal);
    }
}

/* Writing to a closed pipe counts too: "chat | head" must not leave files behind. */
static void catch_ending_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    struct sigaction action = {.sa_handler = on_ending_signal, .sa_flags = SA_ONSTACK}; /* as libsds.h advises */
    struct sigaction before;

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) { /* nohup, perhaps */
            sigaction(numbers[i], &action, NULL);
        }
    }
}

/* For the caller to free; empty when no files are kept. Only the one that is killed needs them. */
static char *path_of(const struct run *run, const struct participant *participant, const char *kind)
{
    char *path = grow(NULL, MAX_PATH_BYTES + 40);

    *path = '\0';
    if (run->directory != NULL && participant->index == run->victim) {
        snprintf(path, MAX_PATH_BYTES + 40, "%s/participant-%zu.%s", run->directory, participant->index + 1, kind);
    }
    return path;
}

/*
 * A new process, not a fork of this one: a child of fork() cannot use the library. Its standard
 * input is one end of a socket pair, and it has no other of our descriptors but stdout and stderr.
 * When this process dies, however that happens, it reads the end of its input, and ends too.
 * Its process group is its own, so that Ctrl-C is for this process alone to handle.
 */
static void spawn(const struct run *run, struct participant *participant)
{
    char *store = path_of(run, participant, "sds");
    char *notes = path_of(run, participant, "notes");
    char round_ms[24];
    char *arguments[] = {"chat", PARTICIPANT_ARGUMENT, (char *)participant->name, round_ms, store, notes, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int sockets[2];

    snprintf(round_ms, sizeof round_ms, "%u", run->round_ms);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
        fail("cannot make a socket for %s: %s", participant->name, strerror(errno));
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, sockets[1], STDIN_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);
    int error = posix_spawnp(&participant->process, run->program, &actions, &attributes, arguments, environ);
    if (error != 0) {
        participant->process = 0;
        fail("cannot start a process for %s from %s: %s", participant->name, run->program, strerror(error));
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(sockets[1]);
    participant->socket = sockets[0];
    free(store);
    free(notes);
}

/* Once its end of the socket is closed. Returns how it has ended, as waitpid tells it. */
static int bury(struct participant *participant)
{
    int status = 0;

    while (waitpid(participant->process, &status, 0) < 0 && errno == EINTR) {
        /* this does not take long */
    }
    participant->process = 0;
    close(participant->socket);
    free(participant->input.data);
    participant->input = (struct bytes){NULL, 0};
    return status;
}

/* Nobody has killed it, so this is a defect. */
static _Noreturn void fail_ended(struct participant *participant)
{
    int status = bury(participant);

    if (WIFSIGNALED(status)) {
        fail("the process of %s was ended by signal %d", participant->name, WTERMSIG(status));
    }
    fail("the process of %s has ended with exit status %d", participant->name, WEXITSTATUS(status));
}

/* Waits until something has come from the process, or (with POLLOUT) can be sent to it. */
static void wait_for(struct participant *participant, short events)
{
    struct pollfd source = {.fd = participant->socket, .events = events};
    int count;

    while ((count = poll(&source, 1, ANSWER_PATIENCE_MS)) < 0) {
        if (errno != EINTR) {
            fail("cannot wait for the process of %s: %s", participant->name, strerror(errno));
        }
        end_if_told();
    }
    if (count == 0) {
        fail("the process of %s has not answered for %d s", participant->name, ANSWER_PATIENCE_MS / 1000);
    }
    if (!receive_bytes(participant->socket, MSG_DONTWAIT, &participant->input)) {
        fail_ended(participant);
    }
}

/* Frees the body. Reads while it waits, since the process may be waiting for us to do so. */
static void send_request(struct participant *participant, enum frame_kind kind, struct bytes *body)
{
    struct bytes frame = make_frame(kind, body);

    for (size_t sent = 0; sent < frame.length;) {
        ssize_t count =
            send(participant->socket, frame.data + sent, frame.length - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count >= 0) {
            sent += (size_t)count;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            wait_for(participant, POLLIN | POLLOUT);
        } else if (errno != EINTR) {
            fail_ended(participant);
        }
    }
    free(frame.data);
}

/* Puts an end to the process. What it has said before is heard out; what it knew is in its files. */
static void kill_participant(struct run *run, struct participant *participant, enum work work, struct message *about)
{
    kill(participant->process, SIGKILL);
    while (receive_bytes(participant->socket, 0, &participant->input)) {
        /* until there is no more */
    }
    bool done = hear(run, participant);
    bury(participant);

    participant->back_round = run->round + crash_of(run, run->crashes).down_rounds;
    participant->counts[CRASHES]++;
    run->crashes++;
    run->patience = run->rest = 0;
    for (size_t i = 0; i < participant->log.count; i++) {
        run->deliveries -= strcmp(participant->log.entries[i].sender, participant->name) != 0;
    }
    free_entries(&participant->log);

    /* over what it has died, and whether the answer to that had come */
    static const char *const how[WORKS][2] = {[SAYING] = {"while it says ", "right after saying "},
                                              [TAKING] = {"while it takes in ", "right after taking in "},
                                              [STARTING] = {"while it comes back", "just when it is back"},
                                              [RESTING] = {"while it rests", "while it rests"}};
    tell(run, participant->name, "IS KILLED", "%s%s", how[work][done], about != NULL ? about->label : "");
    if (work == SAYING) {
        about->cut_short = !about->said;
    }
}

/* Waits for the answer to what was asked just now, unless the participant is to die over it. */
static void await_answer(struct run *run, struct participant *participant, enum work work, struct message *about)
{
    if (crash_is_due(run, participant, work)) {
        sleep_us(run->usual_us[work] * crash_of(run, run->crashes).percent / 100);
        kill_participant(run, participant, work, about);
        return;
    }
    uint64_t asked_us = clock_us();
    while (!hear(run, participant)) {
        wait_for(participant, POLLIN);
    }
    run->usual_us[work] += (clock_us() - asked_us) / 4;
    run->usual_us[work] -= run->usual_us[work] / 5; /* old: four fifths, new: one */
}

static void start_participant(struct run *run, struct participant *participant)
{
    spawn(run, participant);
    await_answer(run, participant, STARTING, NULL);
}

/* Lets it end by itself: it reads the end of its input. What it still says is not heard any more. */
static void stop_participant(struct participant *participant)
{
    shutdown(participant->socket, SHUT_WR);
    do {
        participant->input.length = 0;
    } while (receive_bytes(participant->socket, 0, &participant->input));
    int status = bury(participant);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail("the process of %s did not end well", participant->name);
    }
}

/* What its user types. One who was killed over a line, and does not know of it, gets it again. */
static void say(struct run *run, const struct line *line)
{
    struct participant *speaker = &run->participants[line->speaker];
    struct bytes body = {NULL, 0};
    char id[24];

    snprintf(id, sizeof id, "line-%03zu", (size_t)(line - run->conversation->lines) + 1);
    struct message *message = find_message(run, id);
    if (message == NULL) {
        message = add_message(run, id, line, line->speaker);
        tell(run, speaker->name, "says", "%s %s", message->label, line->text);
    }
    if (speaker->log.count > 0) {
        message->answers_to = known_message(run, speaker->log.entries[speaker->log.count - 1].id);
    }
    put_text(&body, id);
    put_text(&body, line->text);
    send_request(speaker, SAY, &body);
    await_answer(run, speaker, SAYING, message);
}

/* Hands a copy over; nobody takes it when the receiver is down. */
static void hand_over(struct run *run, const struct packet *packet)
{
    struct participant *receiver = &run->participants[packet->receiver];
    struct message *message = packet->message;
    struct bytes body = {NULL, 0};

    if (receiver->process == 0) {
        receiver->counts[FOUND_DOWN]++;
        tell(run, "network", "finds nobody", "to take %s for %s", message->label, receiver->name);
        return;
    }
    if (message->received[receiver->index]) {
        receiver->counts[REPEATS]++;
    } else if (packet->carriage == REPAIR) {
        receiver->counts[REPAIRED]++;
    }
    put_bytes(&body, packet->bytes);
    send_request(receiver, TAKE, &body);
    await_answer(run, receiver, TAKING, message);
    if (receiver->process != 0) {
        message->received[receiver->index] = true;
    }
}

/* ---- The run ---------------------------------------------------------------------------------- */

static void listen_to_all(struct run *run)
{
    for (size_t i = 0; i < run->participant_count; i++) {
        struct participant *participant = &run->participants[i];
        if (participant->process == 0) {
            continue;
        }
        if (!receive_bytes(participant->socket, MSG_DONTWAIT, &participant->input)) {
            fail_ended(participant);
        }
        hear(run, participant);
    }
}

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
        hand_over(run, &packet);
        free(packet.bytes.data);
    }
    if (kept < count) {
        memmove(&run->packets[kept], &run->packets[count], (run->packet_count - count) * sizeof *run->packets);
        run->packet_count -= count - kept;
    }
}

/* Whoever was killed comes back after a while, and has what its files have. */
static void bring_back(struct run *run)
{
    struct participant *participant = &run->participants[run->victim];

    if (participant->process != 0 || run->round < participant->back_round) {
        return;
    }
    tell(run, participant->name, "starts again", "from its files");
    start_participant(run, participant);
    if (participant->process != 0) {
        tell(run, participant->name, "is back", "with %zu line%s in its log", participant->log.count,
             participant->log.count == 1 ? "" : "s");
    }
}

/* A crash that waits for work which does not come any more comes without. */
static void kill_at_rest(struct run *run)
{
    struct participant *victim = &run->participants[run->victim];

    if (run->crashes < run->options->crashes && victim->process != 0 && ++run->rest > REST_ROUNDS) {
        kill_participant(run, victim, RESTING, NULL);
    }
}

static void wait_for_round(const struct run *run)
{
    uint64_t due = run->started_ms + (uint64_t)run->round * run->round_ms;
    uint64_t now = clock_ms();

    if (now < due) {
        sleep_us((due - now) * 1000);
    }
    end_if_told();
}

/* Says what is due; one who is down lets the others wait. */
static void say_due_lines(struct run *run, unsigned *next_round)
{
    while (run->lines_said < run->conversation->line_count && *next_round <= run->round) {
        const struct line *line = &run->conversation->lines[run->lines_said];
        if (run->participants[line->speaker].process == 0) {
            return;
        }
        say(run, line);
        uint64_t number = (uint64_t)(line - run->conversation->lines);
        *next_round = run->round + (unsigned)(mix(mix(run->options->seed) ^ number) % (MAX_PAUSE_ROUNDS + 1));
    }
}

/* Returns when the logs are complete and acknowledged, or when there is no more time for it. */
static void converse(struct run *run)
{
    const struct conversation *conversation = run->conversation;
    size_t deliveries_due = conversation->line_count * (run->participant_count - 1);
    unsigned next_line_round = 1;
    uint64_t all_said_ms = 0, complete_ms = 0;

    for (;;) {
        run->round++;
        wait_for_round(run);
        bring_back(run);
        listen_to_all(run);
        deliver_due_packets(run);
        say_due_lines(run, &next_line_round);
        show_progress(run);

        uint64_t now = clock_ms();
        if (run->lines_said < conversation->line_count) {
            continue;
        }
        if (all_said_ms == 0) {
            all_said_ms = now;
        }
        kill_at_rest(run);
        bool complete = run->deliveries == deliveries_due && run->crashes == run->options->crashes;
        if (!complete) {
            complete_ms = 0;
        } else if (complete_ms == 0) {
            complete_ms = now;
        }
        bool patience_over = complete && now - complete_ms >= (uint64_t)ACK_PATIENCE_ROUNDS * run->round_ms;
        bool settled = complete && run->lines_settled == conversation->line_count;
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
    printf("\n  %-34s  %.2f s, %u rounds of %u ms\n", "time", seconds, run->round, run->round_ms);
    printf("  %-34s  loss %u %%, doubled %u %%, delayed %u %%, seed %" PRIu64 "\n\n", "the network", run->options->loss,
           run->options->duplicate, run->options->reorder, run->options->seed);
}

static bool same_entry(const struct entry *left, const struct entry *right)
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
        const struct entry *entry = &first->entries[i];
        const struct line *line = known_message(run, entry->id)->line;
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
    if (run->options->crashes > 0) {
        printf(" All this although %s was killed %u time%s.", conversation->names[run->victim], run->options->crashes,
               run->options->crashes == 1 ? "" : "s");
    }
    putchar('\n');
    return true;
}

/* ---- All of it -------------------------------------------------------------------------------- */

/*
 * How long a round has to be. A packet that a participant with files takes in costs a few writes that
 * wait for the disk. Where that is slow, the network has to be slower: more would come than could be
 * taken in, and each packet that is late makes others ask for it again.
 */
static unsigned choose_round_ms(const char *directory, size_t participant_count)
{
    static const char data[4096];
    char path[MAX_PATH_BYTES + 40];

    if (directory == NULL) {
        return ROUND_MS;
    }
    snprintf(path, sizeof path, "%s/participant-0.trial", directory);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    uint64_t started_us = clock_us();
    for (int i = 0; i < DISK_TRIALS; i++) {
        if (file < 0 || write(file, data, sizeof data) != (ssize_t)sizeof data || fdatasync(file) != 0) {
            fail("cannot write to %s: %s", path, strerror(errno));
        }
    }
    uint64_t write_us = (clock_us() - started_us) / DISK_TRIALS;
    close(file);
    unlink(path);
    uint64_t round_ms = 2 * (participant_count - 1) * write_us / 1000;
    return round_ms > ROUND_MS ? (unsigned)round_ms : ROUND_MS;
}

static bool hold_conversation(const struct options *options, const struct conversation *conversation,
                              const char *program, const char *directory)
{
    struct run run = {.options = options, .conversation = conversation, .program = program, .directory = directory,
                      .participant_count = conversation->name_count};
    run.name_width = 8; /* as wide as "network" and a fingerprint need it */
    run.victim = (size_t)(mix(options->seed + 1) % run.participant_count);
    run.round_ms = choose_round_ms(directory, run.participant_count);

    for (size_t i = 0; i < run.participant_count; i++) {
        struct participant *participant = &run.participants[i];
        participant->name = conversation->names[i];
        participant->index = i;
        if (letters(participant->name) > run.name_width) {
            run.name_width = letters(participant->name);
        }
    }
    if (screen.timeline) {
        printf("%zu participants, %zu lines; #1, #2, ... are lines, k1, k2, ... keep-alives. Times in seconds.\n",
               run.participant_count, conversation->line_count);
        if (options->crashes > 0) {
            printf("The process of %s will be killed %u time%s.\n", conversation->names[run.victim], options->crashes,
                   options->crashes == 1 ? "" : "s");
        }
        if (run.round_ms > ROUND_MS) {
            printf("The disk is slow, so a round of the network takes %u ms.\n", run.round_ms);
        }
        putchar('\n');
    }
    litter.run = &run;
    run.started_ms = run.last_progress_ms = clock_ms();
    for (size_t i = 0; i < run.participant_count; i++) {
        start_participant(&run, &run.participants[i]);
    }
    run.started_ms = run.last_progress_ms = clock_ms();
    converse(&run);
    print_table(&run);
    bool agree = logs_agree(&run);

    for (size_t i = 0; i < run.participant_count; i++) {
        if (run.participants[i].process != 0) {
            stop_participant(&run.participants[i]);
        }
        free_entries(&run.participants[i].log);
    }
    litter.run = NULL;
    for (size_t i = 0; i < run.packet_count; i++) {
        free(run.packets[i].bytes.data);
    }
    for (size_t i = 0; i < run.message_count; i++) {
        free(run.messages[i]);
    }
    free(run.packets);
    free(run.messages);
    return agree;
}

/* Where this program is, for the processes of the participants. For the caller to free. */
static char *find_program(const char *called)
{
    char path[MAX_PATH_BYTES];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path);

    if (length <= 0 || length == (ssize_t)sizeof path) {
        return copy_text(called, strlen(called));
    }
    return copy_text(path, (size_t)length);
}

/* A directory for the files that nobody wants to keep; for the caller to free. NULL after a complaint. */
static char *make_temporary_directory(void)
{
    const char *parent = getenv("TMPDIR");
    char path[MAX_PATH_BYTES];

    if (parent == NULL || *parent == '\0') {
        parent = "/tmp";
    }
    int length = snprintf(path, sizeof path, "%s/chat-XXXXXX", parent);
    if (length >= (int)sizeof path || mkdtemp(path) == NULL) {
        complain("cannot make a directory for the files of the participants in %s: %s; name one with --store", parent,
                 length >= (int)sizeof path ? "its name is too long" : strerror(errno));
        return NULL;
    }
    return copy_text(path, strlen(path));
}

/* Sees to it that the directory is there and that it holds no files of participants. False after a complaint. */
static bool prepare_directory(const char *path)
{
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        complain("option --store: cannot make the directory '%s': %s", path, strerror(errno));
        return false;
    }
    DIR *directory = opendir(path);
    if (directory == NULL) {
        complain("option --store: cannot open the directory '%s': %s", path, strerror(errno));
        return false;
    }
    bool good = true;
    for (struct dirent *file; good && (file = readdir(directory)) != NULL;) {
        if (strncmp(file->d_name, "participant-", strlen("participant-")) == 0) {
            complain("option --store: '%s' holds files of an earlier conversation (%s), and a conversation cannot be "
                     "gone on with; name another directory, or remove them",
                     path, file->d_name);
            good = false;
        }
    }
    closedir(directory);
    if (good && access(path, W_OK | X_OK) != 0) {
        complain("option --store: cannot make files in '%s': %s", path, strerror(errno));
        good = false;
    }
    return good;
}

/* A standard descriptor that is closed must not become a socket; this way, writing to it is an error as before. */
static void occupy_standard_descriptors(void)
{
    int descriptor;

    do {
        descriptor = open("/dev/null", O_RDONLY);
    } while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    if (descriptor >= 0) {
        close(descriptor);
    }
}

int main(int argc, char **argv)
{
    struct options options = DEFAULTS;
    struct conversation conversation = {.name_count = 0};

    if (argc > 1 && strcmp(argv[1], PARTICIPANT_ARGUMENT) == 0) {
        return be_participant(argc, argv);
    }
    occupy_standard_descriptors();
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
    if (options.store != NULL && !prepare_directory(options.store)) {
        free_conversation(&conversation);
        return EXIT_BAD_INPUT;
    }
    const char *terminal = getenv("TERM");
    screen.timeline = !options.quiet;
    screen.live = isatty(STDERR_FILENO) && terminal != NULL && strcmp(terminal, "dumb") != 0;
    /* whole lines, so that stdout and stderr keep their order where both go to one place */
    setvbuf(stdout, NULL, _IOLBF, 0);

    catch_ending_signals();
    if (atexit(clean_up) != 0) {
        fail("cannot arrange for a clean end");
    }
    char *temporary = NULL;
    if (options.store == NULL && options.crashes > 0) {
        temporary = make_temporary_directory();
        if (temporary == NULL) {
            free_conversation(&conversation);
            return EXIT_RUN_FAILED;
        }
        litter.directory = temporary;
    }
    char *program = find_program(argv[0]);
    bool agree = hold_conversation(&options, &conversation, program, options.store != NULL ? options.store : temporary);
    end_if_told();
    clean_up();
    free(program);
    free(temporary);
    free_conversation(&conversation);
    return flush_output() && agree ? EXIT_LOGS_AGREE : EXIT_RUN_FAILED;
}
