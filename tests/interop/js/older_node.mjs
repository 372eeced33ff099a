// What @waku/sds takes for granted and Node 18, which Debian 12 has, does not give everybody:
// without it, it would announce nothing.

globalThis.CustomEvent ??= class CustomEvent extends Event {
  #detail;

  constructor(type, options) {
    super(type, options);
    this.#detail = options?.detail ?? null;
  }

  get detail() {
    return this.#detail;
  }
};
