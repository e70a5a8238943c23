import Foundation
import TestSupport
import Testing
import Threading

@Suite struct SideThreadTests {
    @Test func `two pieces of work are done at the same time`() {
        // Each waits for the other one.
        let (one, two) = (WakeSignal(), WakeSignal())
        let here = pthread_self()
        let (first, other) = SideThread("other").run {
            one.notify()
            two.wait()
            return pthread_self()
        } first: {
            two.notify()
            one.wait()
            return pthread_self()
        }
        #expect(first == here && other != here)
    }

    @Test func `it is kept, and does one piece of work after the other`() {
        let side = SideThread("other")
        var threads: Set<pthread_t> = []
        for round in 0..<100 {
            let (first, other) = side.run {
                (round, pthread_self())
            } first: {
                -round
            }
            #expect(first == -round && other.0 == round)
            threads.insert(other.1)
        }
        #expect(threads.count == 1)
    }

    @Test func `what the work held on to is let go when it is done`() {
        final class Held: Sendable {}
        let side = SideThread("other")
        for _ in 0..<100 {
            weak var held: Held?
            do {
                let strong = Held()
                held = strong
                _ = side.run { [strong] in
                    ObjectIdentifier(strong)
                } first: {
                }
            }
            #expect(held == nil)
        }
    }

    @Test func `without room for a thread they are done in turn`() async {
        await #expect(processExitsWith: .success) {
            let sizes = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
            let pages = try #require(sizes.split(separator: " ").first.flatMap { UInt($0) })
            // A thread's stack has 8 MiB.
            let bytes = pages * 4096 + 4 << 20
            var limit = rlimit(rlim_cur: bytes, rlim_max: bytes)
            try #require(unsafe setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0)
            let here = pthread_self()
            let (first, other) = SideThread("other").run {
                pthread_self()
            } first: {
                pthread_self()
            }
            #expect(first == here && other == here)
        }
    }
}
