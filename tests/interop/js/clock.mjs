// The time and the randomness of this process, given by the test: with them the same
// commands have the same results. It is imported before anything that asks for either.

let now = 0;
let state = 1;

Date.now = () => now;

// Marsaglia's xorshift, 32 bits. @waku/sds takes the ids of sync messages from it.
Math.random = () => {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) / 2 ** 32;
};

/** Sets the time, in milliseconds since 1970. */
export function setTime(milliseconds) {
  now = milliseconds;
}

/** Begins another sequence of random numbers; 0 is the same as 1. */
export function setSeed(seed) {
  state = seed | 0 || 1;
}
