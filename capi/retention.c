/* retention.c - results that stay readable after their callback.
 *
 * Hosts exist that hand the result to another thread and read it there, shortly
 * after the callback returned. So a result lives for a second; where a lot is
 * held, for a tenth of one. The list is C memory, reachable for leak checkers. */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "bridge.h"

#define LIFETIME_MS ((int64_t)1000)
#define SHORT_LIFETIME_MS ((int64_t)100)
#define LARGE_TOTAL ((size_t)256 << 20)

/* So that no caller pays for the burst of another. It is more than the one block
 * that each call adds. */
#define MOST_AT_ONCE 16

/* From how much freed memory on the system is asked to take it back. */
#define WORTH_TRIMMING ((size_t)16 << 20)

/* Up to how much is retained in quiet times: a burst has passed. */
#define LITTLE ((size_t)1 << 20)

typedef struct Block {
	struct Block *next;
	int64_t since;
	size_t size;
} Block;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Block *oldest, *newest;
static size_t total;
static size_t freed; /* since the system was last asked to take memory back */

static int64_t nowMs(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

char *sdsAllocate(size_t size)
{
	Block *block = malloc(sizeof(Block) + size);

	if (block == NULL)
		return NULL;
	block->size = sizeof(Block) + size;
	return (char *)(block + 1);
}

char *sdsShrink(char *text, size_t size)
{
	Block *block = (Block *)(void *)text - 1;
	Block *shrunk = realloc(block, sizeof(Block) + size);

	if (shrunk == NULL)
		return text;
	shrunk->size = sizeof(Block) + size;
	return (char *)(shrunk + 1);
}

/* How long the oldest block has yet to live; not positive when its time has
 * come. The clock counts whole milliseconds, so one is added to what was
 * promised. The lock is held, and there is a block. */
static int64_t yetToLive(int64_t now)
{
	int64_t lifetime = total > LARGE_TOTAL ? SHORT_LIFETIME_MS : LIFETIME_MS;

	return oldest->since + lifetime + 1 - now;
}

/* Unlinks up to MOST_AT_ONCE blocks whose time has come. The lock is held. */
static Block *takeExpired(int64_t now)
{
	Block *expired = oldest, *last = NULL;
	int count;

	for (count = 0; count < MOST_AT_ONCE && oldest != NULL && yetToLive(now) <= 0; count++) {
		total -= oldest->size;
		freed += oldest->size;
		last = oldest;
		oldest = oldest->next;
	}
	if (oldest == NULL)
		newest = NULL;
	if (last == NULL)
		return NULL;
	last->next = NULL;
	return expired;
}

static void release(Block *block)
{
	while (block != NULL) {
		Block *next = block->next;

		free(block);
		block = next;
	}
}

void sdsRetain(char *text)
{
	Block *block = (Block *)(void *)text - 1;
	Block *expired;

	block->next = NULL;
	block->since = nowMs();
	pthread_mutex_lock(&lock);
	if (newest == NULL)
		oldest = block;
	else
		newest->next = block;
	newest = block;
	total += block->size;
	expired = takeExpired(block->since);
	pthread_mutex_unlock(&lock);
	release(expired);
}

int64_t sdsSweepRetained(void)
{
	Block *expired;
	int64_t wait;
	int trim;

	do {
		int64_t now = nowMs();

		pthread_mutex_lock(&lock);
		expired = takeExpired(now);
		wait = oldest == NULL ? -1 : yetToLive(now);
		pthread_mutex_unlock(&lock);
		release(expired);
	} while (expired != NULL);

	/* After a burst, the heap keeps what was freed below anything that lives. */
	pthread_mutex_lock(&lock);
	trim = total <= LITTLE && freed >= WORTH_TRIMMING;
	if (trim)
		freed = 0;
	pthread_mutex_unlock(&lock);
#ifdef __GLIBC__
	if (trim)
		malloc_trim(0);
#endif
	return wait;
}
