/*
 * channel.h: a channel as the soak knows it: a ledger of who sent what and who was
 * told of it, and the network between its participants, which loses, repeats and
 * reorders. A channel lives for 10 to 50 messages; then every participant must have
 * been told of each exactly once, and the next generation begins under a new id.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <stddef.h>
#include <stdint.h>

enum { PARTICIPANTS = 4, CHANNELS = 64, MOST_MESSAGES = 50 };

/* A payload on its way. */
struct packet {
    int to;
    uint8_t *data; /* from malloc */
    size_t length;
};

/* What happened in all channels together, for people. */
struct totals {
    long long wrapped, delivered, ephemeral, lost, repeated, repairs, resends, met, generations, bytes;
};

/* channels_begin makes all of them; channels_end frees what is still on its way. */
void channels_begin(uint64_t seed);
void channels_end(void);

struct totals channels_totals(void);

/* channel_id returns the id of the generation at hand. Only the thread that drives the channel may call this
 * and the functions below that take a channel's number. */
const char *channel_id(unsigned channel);

/* channel_renew begins the next generation. */
void channel_renew(unsigned channel);

/* channel_add enters a message that is about to be wrapped, and returns its number, from which its id is made;
 * -1 when the generation is full. */
int channel_add(unsigned channel, int sender, size_t size, uint64_t seed);
int channel_is_full(unsigned channel);
void channel_message_id(int number, char id[16]);

/* channel_lose says whether the network loses and repeats, as it does at first. */
void channel_lose(unsigned channel, int losing);

/* channel_take takes a packet off the network, any of those that are on their way; 0 when there is none. */
int channel_take(unsigned channel, struct packet *packet);
int channel_waiting(unsigned channel);

/* channel_send puts a payload on its way to all participants but one. channel_send_in is that for a thread that
 * knows the channel by the id that an event gave it; an earlier generation's payloads go nowhere. */
void channel_send(unsigned channel, int from, const uint8_t *payload, size_t length);
void channel_send_in(const char *id, int from, const uint8_t *payload, size_t length, int is_repair);

/* channel_heard enters that a participant was told of a message. What must not be is a failure. */
void channel_heard(const char *id, const char *message, int participant, const uint8_t *content, size_t length);

/* channel_excuse says that a participant has a message by other means, and need not be told of it. */
void channel_excuse(const char *id, const char *message, int participant);

/* channel_lacks returns the first message from `from` on that a participant has yet to be told of; -1: none.
 * With excused, one that it need not be told of and was not. */
int channel_lacks(unsigned channel, int participant, int from, int excused);

/* channels_forget says that a participant has lost its memory, with nothing under way. It may be told again of
 * what it was told, or not, and what only it had is lost. */
void channels_forget(int participant);

#endif
