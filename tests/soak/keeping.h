/*
 * keeping.h: a host that keeps its channels itself, in memory, with transactions.
 * It holds what it was told to hold and nothing else, so that its memory is flat
 * where that of the library is.
 */
#ifndef KEEPING_H
#define KEEPING_H

#include <libsds.h>

/* keeping_procedures are given to SdsOpen, with keeping_new as their user data. */
extern const SdsPersistence keeping_procedures;

struct keeping;

struct keeping *keeping_new(void);
void keeping_free(struct keeping *keeping);

#endif
