#include "channel.h"

#include "chance.h"
#include "content.h"
#include "failure.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a hundred packets so many are lost, and so many come twice. */
enum { LOST_PERCENT = 10, REPEATED_PERCENT = 5, MOST_PACKETS = 64, LEAST_MESSAGES = 10 };

struct message {
    uint32_t size;
    uint64_t seed;
    uint8_t sender;
    uint8_t excused; /* a bit for each participant that need not be told */
    uint8_t told[PARTICIPANTS];
};

struct channel {
    pthread_mutex_t lock; /* a leaf: nothing is called while it is held */
    char id[32];
    unsigned generation;
    uint64_t chance;
    int losing;
    int messages, most_messages, packets;
    struct message message[MOST_MESSAGES];
    struct packet packet[MOST_PACKETS];
    struct totals totals;
};

static struct channel channels[CHANNELS];

void channels_begin(uint64_t seed)
{
    unsigned i;

    for (i = 0; i < CHANNELS; i++) {
        pthread_mutex_init(&channels[i].lock, NULL);
        channels[i].chance = chance_seed(seed + i);
        channel_renew(i);
    }
}

static void drop_packets(struct channel *channel)
{
    while (channel->packets > 0)
        free(channel->packet[--channel->packets].data);
}

void channels_end(void)
{
    unsigned i;

    for (i = 0; i < CHANNELS; i++)
        drop_packets(&channels[i]);
}

struct totals channels_totals(void)
{
    struct totals sum = {0};
    unsigned i;

    for (i = 0; i < CHANNELS; i++) {
        struct totals *one = &channels[i].totals;

        pthread_mutex_lock(&channels[i].lock);
        sum.wrapped += one->wrapped;
        sum.delivered += one->delivered;
        sum.ephemeral += one->ephemeral;
        sum.lost += one->lost;
        sum.repeated += one->repeated;
        sum.repairs += one->repairs;
        sum.resends += one->resends;
        sum.met += one->met;
        sum.generations += one->generations;
        sum.bytes += one->bytes;
        pthread_mutex_unlock(&channels[i].lock);
    }
    return sum;
}

const char *channel_id(unsigned channel) { return channels[channel].id; }

void channel_renew(unsigned number)
{
    struct channel *channel = &channels[number];

    pthread_mutex_lock(&channel->lock);
    drop_packets(channel);
    memset(channel->message, 0, sizeof channel->message);
    channel->messages = 0;
    channel->most_messages = LEAST_MESSAGES + (int)chance_below(&channel->chance, MOST_MESSAGES - LEAST_MESSAGES + 1);
    channel->losing = 1;
    if (channel->generation > 0)
        channel->totals.generations++;
    channel->generation++;
    snprintf(channel->id, sizeof channel->id, "c%u.%u", number, channel->generation);
    pthread_mutex_unlock(&channel->lock);
}

int channel_add(unsigned number, int sender, size_t size, uint64_t seed)
{
    struct channel *channel = &channels[number];
    int added = -1;

    pthread_mutex_lock(&channel->lock);
    if (channel->messages < channel->most_messages) {
        struct message *message = &channel->message[added = channel->messages++];

        message->size = (uint32_t)size;
        message->seed = seed;
        message->sender = (uint8_t)sender;
        channel->totals.wrapped++;
        channel->totals.bytes += (long long)size;
    }
    pthread_mutex_unlock(&channel->lock);
    return added;
}

int channel_is_full(unsigned number)
{
    int full;

    pthread_mutex_lock(&channels[number].lock);
    full = channels[number].messages == channels[number].most_messages;
    pthread_mutex_unlock(&channels[number].lock);
    return full;
}

void channel_message_id(int number, char id[16]) { snprintf(id, 16, "m%d", number); }

void channel_lose(unsigned number, int losing)
{
    pthread_mutex_lock(&channels[number].lock);
    channels[number].losing = losing;
    pthread_mutex_unlock(&channels[number].lock);
}

int channel_take(unsigned number, struct packet *packet)
{
    struct channel *channel = &channels[number];
    int found;

    pthread_mutex_lock(&channel->lock);
    found = channel->packets > 0;
    if (found) {
        unsigned which = chance_below(&channel->chance, (unsigned)channel->packets);

        *packet = channel->packet[which];
        channel->packet[which] = channel->packet[--channel->packets];
    }
    pthread_mutex_unlock(&channel->lock);
    return found;
}

int channel_waiting(unsigned number)
{
    int waiting;

    pthread_mutex_lock(&channels[number].lock);
    waiting = channels[number].packets;
    pthread_mutex_unlock(&channels[number].lock);
    return waiting;
}

/* put puts one packet on its way. Where too many are, one of them is lost. The lock is held. */
static void put(struct channel *channel, int to, const uint8_t *payload, size_t length)
{
    struct packet packet = {to, malloc(length), length};

    if (packet.data == NULL)
        abort();
    memcpy(packet.data, payload, length);
    if (channel->packets == MOST_PACKETS) {
        unsigned which = chance_below(&channel->chance, MOST_PACKETS);

        free(channel->packet[which].data);
        channel->packet[which] = packet;
        channel->totals.lost++;
        return;
    }
    channel->packet[channel->packets++] = packet;
}

static void send_locked(struct channel *channel, int from, const uint8_t *payload, size_t length)
{
    int to;

    for (to = 0; to < PARTICIPANTS; to++) {
        if (to == from)
            continue;
        if (channel->losing && chance_below(&channel->chance, 100) < LOST_PERCENT) {
            channel->totals.lost++;
            continue;
        }
        put(channel, to, payload, length);
        if (channel->losing && chance_below(&channel->chance, 100) < REPEATED_PERCENT) {
            channel->totals.repeated++;
            put(channel, to, payload, length);
        }
    }
}

void channel_send(unsigned number, int from, const uint8_t *payload, size_t length)
{
    struct channel *channel = &channels[number];

    pthread_mutex_lock(&channel->lock);
    send_locked(channel, from, payload, length);
    pthread_mutex_unlock(&channel->lock);
}

/* find returns the channel that an id names, locked; NULL when it is of another generation. */
static struct channel *find(const char *id)
{
    unsigned number;
    struct channel *channel;

    if (sscanf(id, "c%u.", &number) != 1 || number >= CHANNELS) {
        failure("an event of channel \"%s\", which nobody made", id);
        return NULL;
    }
    channel = &channels[number];
    pthread_mutex_lock(&channel->lock);
    if (strcmp(channel->id, id) == 0)
        return channel;
    pthread_mutex_unlock(&channel->lock);
    return NULL;
}

void channel_send_in(const char *id, int from, const uint8_t *payload, size_t length, int is_repair)
{
    struct channel *channel = find(id);

    if (channel == NULL)
        return;
    if (is_repair)
        channel->totals.repairs++;
    else
        channel->totals.resends++;
    send_locked(channel, from, payload, length);
    pthread_mutex_unlock(&channel->lock);
}

void channel_heard(const char *id, const char *message_id, int participant, const uint8_t *content, size_t length)
{
    struct channel *channel = find(id);
    struct message message = {0};
    int number = -1, told = 0, known = 0;

    if (channel == NULL) {
        failure("message %s of channel %s, which is dropped, was delivered", message_id, id);
        return;
    }
    if (message_id[0] == 'e') { /* ephemeral: may come as often as the network brings it */
        channel->totals.ephemeral++;
        pthread_mutex_unlock(&channel->lock);
        return;
    }
    if (sscanf(message_id, "m%d", &number) == 1 && number >= 0 && number < channel->messages) {
        known = 1;
        told = ++channel->message[number].told[participant];
        message = channel->message[number];
        channel->totals.delivered++;
    }
    pthread_mutex_unlock(&channel->lock);
    if (!known)
        failure("message %s of channel %s, which nobody sent, was delivered", message_id, id);
    else if (told > 1)
        failure("DOUBLED: message %s of channel %s was delivered to participant %d %d times", message_id, id, participant,
                told);
    else if (!content_is(content, length, message.size, message.seed))
        failure("message %s of channel %s came to participant %d with another content", message_id, id, participant);
}

void channel_excuse(const char *id, const char *message_id, int participant)
{
    struct channel *channel = find(id);
    int number;

    if (channel == NULL)
        return;
    if (sscanf(message_id, "m%d", &number) == 1 && number >= 0 && number < channel->messages) {
        channel->message[number].excused |= (uint8_t)(1u << participant);
        channel->totals.met++;
    }
    pthread_mutex_unlock(&channel->lock);
}

int channel_lacks(unsigned number, int participant, int from, int excused)
{
    struct channel *channel = &channels[number];
    int i, found = -1;

    pthread_mutex_lock(&channel->lock);
    for (i = from; i < channel->messages && found < 0; i++) {
        struct message *message = &channel->message[i];
        int is_excused = (message->excused >> participant & 1) != 0;

        if (message->told[participant] == 0 && message->sender != participant && is_excused == (excused != 0))
            found = i;
    }
    pthread_mutex_unlock(&channel->lock);
    return found;
}

void channels_forget(int participant)
{
    unsigned i;
    int j, other;

    for (i = 0; i < CHANNELS; i++) {
        struct channel *channel = &channels[i];

        pthread_mutex_lock(&channel->lock);
        for (j = 0; j < channel->messages; j++) {
            struct message *message = &channel->message[j];

            message->told[participant] = 0;
            message->excused |= (uint8_t)(1u << participant);
            if (message->sender != participant)
                continue;
            for (other = 0; other < PARTICIPANTS; other++)
                if (message->told[other] == 0)
                    message->excused |= (uint8_t)(1u << other);
        }
        pthread_mutex_unlock(&channel->lock);
    }
}
