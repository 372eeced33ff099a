/*
 * chat.h - what the two sides of the example share: the process that runs the conversation (chat.c)
 * and the process of each participant (chat_participant.c).
 */
#ifndef CHAT_H
#define CHAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXIT_LOGS_AGREE = 0, EXIT_RUN_FAILED = 1, EXIT_BAD_INPUT = 2 };

/* ---- Complaints, memory ----------------------------------------------------------------------- */

struct bytes {
    unsigned char *data;
    size_t length;
};

extern bool progress_drawn; /* a progress line stands on the terminal */

void draw_progress(const char *text);
void erase_progress(void);
void complain(const char *format, ...);
_Noreturn void fail(const char *format, ...);

void *grow(void *block, size_t size);
char *copy_text(const char *text, size_t length);
struct bytes copy_bytes(struct bytes original);

/* ---- Frames ----------------------------------------------------------------------------------- */

/*
 * What the two processes tell each other, and what a participant notes in its file, are frames: a
 * kind, a length, and a body of numbers, texts and bytes.
 */
enum frame_kind {
    /* from the conversation to a participant; each is answered with DONE */
    SAY = 1, /* id, text: the user has typed this */
    TAKE,    /* payload: the network has brought this */

    /* from a participant to the conversation */
    BROADCAST,    /* carriage, payload: give this to all others */
    LOGGED,       /* origin, entry: this is in the log now */
    MISSING,      /* id, then the ids that this message waits for */
    ACKNOWLEDGED, /* id: an own message has arrived somewhere */
    GIVEN_UP,     /* id: an own message will not be resent any more */
    DONE,         /* the request has been carried out; the first one: the participant is ready */

    /* in a participant's file; chat_participant.c says what for */
    NOTE_DRAFT,    /* id, text */
    NOTE_RECEIVED, /* number, payload */
    NOTE_SETTLED,  /* number */
    NOTE_LOGGED    /* number, entry */
};

enum carriage { FIRST_TIME, RESENT, REPAIR };

/* How a message has come into a log. */
enum origin { OWN, DELIVERED, RECALLED, FROM_FILE };

/* A message as every host keeps it. */
struct entry {
    uint64_t lamport;
    char *id;
    char *sender;
    char *text;
};

struct entry_list {
    struct entry *entries; /* by (lamport, id): the order in which the library keeps its log too */
    size_t count;
};

int compare_entries(const struct entry *left, const struct entry *right);
void insert_entry(struct entry_list *list, struct entry entry);
struct entry *find_entry(const struct entry_list *list, const char *id);
void free_entry(struct entry *entry);
void free_entries(struct entry_list *list);

void put_number(struct bytes *body, uint64_t number);
void put_bytes(struct bytes *body, struct bytes bytes);
void put_text(struct bytes *body, const char *text);
void put_entry(struct bytes *body, const struct entry *entry);

uint64_t take_number(struct bytes *body);
struct bytes take_bytes(struct bytes *body); /* points into the body */
char *take_text(struct bytes *body);         /* for the caller to free */
struct entry take_entry(struct bytes *body);

struct bytes make_frame(enum frame_kind kind, struct bytes *body);
bool next_frame(struct bytes *rest, enum frame_kind *kind, struct bytes *body);
bool receive_bytes(int socket, int flags, struct bytes *input);
void drop_front(struct bytes *input, size_t length);

/* ---- Packets ---------------------------------------------------------------------------------- */

enum { FIELD_ID = 1, FIELD_LAMPORT = 2, FIELD_REPAIR_REQUEST = 13 };

struct field {
    uint64_t number;
    uint64_t value;        /* of a number */
    struct bytes contents; /* of a string, bytes or a nested message; points into the packet */
};

bool next_field(struct bytes *rest, struct field *field);

/* ---- The other process ------------------------------------------------------------------------ */

/* The first argument of a process that is to be a participant; chat_participant.c says what follows. */
#define PARTICIPANT_ARGUMENT "--participant"

int be_participant(int argc, char **argv);

#endif
