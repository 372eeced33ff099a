package turn

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func init() { glanceLoops = 10 }

// The tests run in synctest bubbles: there, goroutines that all wait for each
// other fail the test instead of hanging it.

// call runs callback as a callback of an operation on t, called from inside
// the operation named by inside. It reports whether the operation began.
func call(t *Turn, inside Token, callback func(o *Operation)) bool {
	operation := &Operation{}
	if !t.Begin(operation, inside) {
		return false
	}
	defer operation.End()
	operation.Take()
	callback(operation)
	return true
}

// checkNothingLeft fails the test if operations or waiters remain on record.
func checkNothingLeft(t *testing.T) {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	if len(running) != 0 || len(waiting) != 0 {
		t.Errorf("%d operations and %d waiters remain", len(running), len(waiting))
	}
}

func TestOnlyOneHoldsATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turn Turn
		var inside, calls int // guarded by the turn alone: the race detector watches
		var all sync.WaitGroup
		for range 32 {
			all.Go(func() {
				for range 50 {
					call(&turn, 0, func(*Operation) {
						inside++
						if inside != 1 {
							t.Errorf("%d callbacks at once", inside)
						}
						calls++
						inside--
					})
				}
			})
		}
		all.Wait()
		if calls != 32*50 {
			t.Errorf("%d callbacks, want %d", calls, 32*50)
		}
		checkNothingLeft(t)
	})
}

func TestATurnIsEnteredAgainFromInsideItsCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var one, two Turn
		depth := 0
		call(&one, 0, func(o *Operation) {
			call(&two, o.Token(), func(o *Operation) {
				call(&one, o.Token(), func(o *Operation) {
					call(&two, o.Token(), func(*Operation) { depth = 4 })
				})
			})
			if !one.held.Load() {
				t.Error("the nested call gave back the outer one's turn")
			}
			if two.held.Load() {
				t.Error("the nested call kept its turn")
			}
		})
		if depth != 4 {
			t.Error("the innermost callback did not run")
		}
		if one.held.Load() {
			t.Error("the turn was not given back")
		}
		checkNothingLeft(t)
	})
}

func TestCallbacksMayCallIntoEachOthersContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turns [3]Turn
		var allIn, all sync.WaitGroup
		var nested atomic.Int32
		allIn.Add(len(turns))
		for i := range turns {
			all.Go(func() {
				call(&turns[i], 0, func(o *Operation) {
					allIn.Done()
					allIn.Wait() // now every turn is held
					call(&turns[(i+1)%len(turns)], o.Token(), func(*Operation) { nested.Add(1) })
				})
			})
		}
		all.Wait()
		if got := nested.Load(); got != int32(len(turns)) {
			t.Errorf("%d nested callbacks, want %d", got, len(turns))
		}
		checkNothingLeft(t)
	})
}

// TestNestingAtRandom lets threads call into few contexts, nested at random,
// and checks that no two ever execute host code of one context at once. A
// thread that is inside a nested call executes no host code of the outer one.
func TestNestingAtRandom(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			var turns [4]Turn
			var executing [4]atomic.Int32
			var all sync.WaitGroup
			for thread := range uint64(8) {
				all.Go(func() {
					random := rand.New(rand.NewPCG(seed, thread))
					var nest func(inside Token, stack []int)
					nest = func(inside Token, stack []int) {
						i := random.IntN(len(turns))
						call(&turns[i], inside, func(o *Operation) {
							// Contexts of the chain count as one thread's.
							stack := append(slices.Clone(stack), i)
							enter := func() {
								for _, j := range distinct(stack) {
									if n := executing[j].Add(1); n != 1 {
										t.Errorf("seed %d: %d threads in context %d", seed, n, j)
									}
								}
							}
							leave := func() {
								for _, j := range distinct(stack) {
									executing[j].Add(-1)
								}
							}
							enter()
							for len(stack) < 4 && random.IntN(3) > 0 {
								leave()
								nest(o.Token(), stack)
								enter()
							}
							leave()
						})
					}
					for range 50 {
						nest(0, nil)
					}
				})
			}
			all.Wait()
			checkNothingLeft(t)
		})
	}
}

func distinct(of []int) []int {
	sorted := slices.Clone(of)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

func TestWaitersAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turn Turn
		var order []int
		var all sync.WaitGroup
		call(&turn, 0, func(*Operation) {
			for i := range 5 {
				all.Go(func() { call(&turn, 0, func(*Operation) { order = append(order, i) }) })
				synctest.Wait() // it is in the line now
			}
		})
		all.Wait()
		if want := []int{0, 1, 2, 3, 4}; !slices.Equal(order, want) {
			t.Errorf("served %v, want %v", order, want)
		}
	})
}

func TestWhoHasSleptForLongIsHandedTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turn Turn
		var order []string
		var all sync.WaitGroup
		call(&turn, 0, func(*Operation) {
			all.Go(func() { call(&turn, 0, func(*Operation) { order = append(order, "slept") }) })
			synctest.Wait()
			time.Sleep(longestSleep)
		})
		call(&turn, 0, func(*Operation) { order = append(order, "came at once") })
		all.Wait()
		if want := []string{"slept", "came at once"}; !slices.Equal(order, want) {
			t.Errorf("served %v, want %v", order, want)
		}
		checkNothingLeft(t)
	})
}

func TestCloseWaitsForAnOperationThatHasNothingToAnnounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turn Turn
		operation := &Operation{}
		turn.Begin(operation, 0)
		closed := make(chan bool)
		go func() { closed <- turn.Close(0) }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close returned before the operation ended")
		default:
		}
		if operation.Ended() {
			t.Error("the context was closed under an operation that Close has to wait for")
		}
		operation.End()
		if !<-closed {
			t.Error("Close failed")
		}
		checkNothingLeft(t)
	})
}

func TestHeldTellsOfTheTurn(t *testing.T) {
	var turn Turn
	operation := &Operation{}
	turn.Begin(operation, 0)
	if turn.Held() {
		t.Error("held by an operation that did not take it")
	}
	operation.Take()
	if !turn.Held() {
		t.Error("not held by the operation that took it")
	}
	operation.End()
	if turn.Held() {
		t.Error("held by an operation that has ended")
	}
}

func TestCloseWaitsForOperationsOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turn Turn
		release := make(chan struct{})
		closed := make(chan bool)
		go call(&turn, 0, func(o *Operation) {
			<-release
			if o.Ended() {
				t.Error("the context was closed under an operation that Close has to wait for")
			}
		})
		synctest.Wait()
		go func() { closed <- turn.Close(0) }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close returned before the callback under way")
		default:
		}
		if turn.Begin(&Operation{}, 0) {
			t.Error("an operation began while the context was closing")
		}
		if turn.Close(0) {
			t.Error("a second Close succeeded")
		}
		close(release)
		if !<-closed {
			t.Error("Close failed")
		}
		checkNothingLeft(t)
	})
}

func TestCloseFromInsideACallbackDoesNotWaitForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var one, two Turn
		call(&one, 0, func(outer *Operation) {
			call(&two, outer.Token(), func(o *Operation) {
				call(&one, o.Token(), func(o *Operation) {
					if !one.Close(o.Token()) {
						t.Error("Close failed")
					}
					if !o.Ended() || !outer.Ended() {
						t.Error("the enclosing operations were not told")
					}
					if call(&one, o.Token(), func(*Operation) {}) {
						t.Error("a call on the closed context succeeded")
					}
				})
			})
		})
		checkNothingLeft(t)
	})
}

// A callback that closes its own context must let the threads finish that
// wait for the turn it holds.
func TestCloseGivesItsTurnsBackWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turn Turn
		var all sync.WaitGroup
		served := 0
		call(&turn, 0, func(o *Operation) {
			for range 3 {
				all.Go(func() { call(&turn, 0, func(*Operation) { served++ }) })
			}
			synctest.Wait()
			turn.Close(o.Token())
			if served != 3 {
				t.Errorf("Close returned with %d of 3 callbacks served", served)
			}
			if !turn.held.Load() {
				t.Error("the callback lost its turn")
			}
		})
		all.Wait()
		checkNothingLeft(t)
	})
}

func TestCallbacksMayCloseEachOthersContext(t *testing.T) {
	for size := 2; size <= 5; size++ {
		synctest.Test(t, func(t *testing.T) {
			turns := make([]Turn, size)
			var allIn, all sync.WaitGroup
			var succeeded atomic.Int32
			allIn.Add(size)
			for i := range turns {
				all.Go(func() {
					call(&turns[i], 0, func(o *Operation) {
						allIn.Done()
						allIn.Wait()
						if turns[(i+1)%size].Close(o.Token()) {
							succeeded.Add(1)
						}
					})
				})
			}
			all.Wait()
			if got := succeeded.Load(); got != int32(size) {
				t.Errorf("%d of %d Closes succeeded", got, size)
			}
			checkNothingLeft(t)
		})
	}
}

// Only a circle is broken: a Close still waits for a thread that is itself in
// a Close which has nothing to do with it.
func TestCloseWaitsForAThreadThatClosesSomethingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var one, two Turn
		release := make(chan struct{})
		var twoClosed, oneClosed atomic.Bool
		var all sync.WaitGroup
		all.Go(func() { call(&two, 0, func(*Operation) { <-release }) })
		synctest.Wait()
		all.Go(func() {
			call(&one, 0, func(o *Operation) {
				two.Close(o.Token())
				twoClosed.Store(true)
			})
		})
		synctest.Wait()
		all.Go(func() {
			one.Close(0)
			if !twoClosed.Load() {
				t.Error("Close left a callback under way behind")
			}
			oneClosed.Store(true)
		})
		synctest.Wait()
		if oneClosed.Load() {
			t.Error("Close did not wait")
		}
		close(release)
		all.Wait()
		checkNothingLeft(t)
	})
}

// A thread that waits for a turn whose holder goes on to close the waiter's
// own context, and the other way round, both go on.
func TestCloseAgainstACallThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var one, two Turn
		var all sync.WaitGroup
		twoIn := make(chan struct{})
		proceed := make(chan struct{})
		nested := false
		all.Go(func() {
			call(&two, 0, func(o *Operation) {
				close(twoIn)
				<-proceed
				one.Close(o.Token())
				if !nested {
					t.Error("Close returned before the nested call had its callback")
				}
			})
		})
		<-twoIn
		all.Go(func() {
			call(&one, 0, func(o *Operation) {
				call(&two, o.Token(), func(*Operation) { nested = true })
			})
		})
		synctest.Wait()
		close(proceed)
		all.Wait()
		checkNothingLeft(t)
	})
}

func BenchmarkUncontended(b *testing.B) {
	var turn Turn
	for b.Loop() {
		call(&turn, 0, func(*Operation) {})
	}
}

func BenchmarkContended(b *testing.B) {
	var turn Turn
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			call(&turn, 0, func(*Operation) {})
		}
	})
}
