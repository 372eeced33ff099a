/* handle.c - the addresses that contexts are known by. */
#include <pthread.h>
#include <stdlib.h>

#include "bridge.h"

struct SdsRemembered {
	SdsRemembered *before;
	void *address;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static SdsRemembered *newest;

SdsRemembered *sdsRoomToRemember(void)
{
	return malloc(sizeof(SdsRemembered));
}

void sdsRemember(SdsRemembered *room, void *address)
{
	room->address = address;
	pthread_mutex_lock(&lock);
	room->before = newest;
	newest = room;
	pthread_mutex_unlock(&lock);
}
