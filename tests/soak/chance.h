/* chance.h: numbers that look random, the same ones for the same seed (xorshift64*). */
#ifndef CHANCE_H
#define CHANCE_H

#include <stdint.h>

static inline uint64_t chance_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* chance_below returns a number from 0 to bound - 1. */
static inline unsigned chance_below(uint64_t *state, unsigned bound)
{
    return (unsigned)((chance_next(state) >> 33) % bound);
}

/* chance_seed makes a state of any number; none is 0, from which nothing would come. */
static inline uint64_t chance_seed(uint64_t number)
{
    uint64_t state = number * UINT64_C(0x9e3779b97f4a7c15) + 1;

    return state != 0 ? state : 1;
}

#endif
