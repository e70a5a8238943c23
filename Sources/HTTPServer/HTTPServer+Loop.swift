import CMicroHTTPD
internal import Glibc
internal import Synchronization
internal import Threading

/// Where a parked exchange waits for its response.
enum Parking: UInt8, AtomicRepresentable {
    case none
    /// Among the connections that libmicrohttpd looks at in every round.
    case inPlace
    /// Taken out of its rounds, until resumed.
    case suspended
    case answered
}

/// The rounds of the server's thread: libmicrohttpd does what can be done, then it is waited for
/// more.
///
/// A parked exchange stays where it is at first, and is asked about in each round: most are
/// answered within a few, and taking a connection out of epoll and back in costs more than asking.
/// Who waits longer is suspended, as is everybody when many wait.
///
/// While many wait, the thread looks for their answers a little longer before it sleeps. To sleep
/// and be woken costs more, and puts it behind the thread that woke it while another core has
/// nothing to do. Where a quota limits the processor time of the process, time spent looking would
/// be missing elsewhere: there it sleeps (`Settings.mayWatch`).
///
/// Answers that are there at once are held while more requests come, and then go out one right
/// after the other: a client that has several under way is woken once and not for each.
@safe
final class ServerLoop: @unchecked Sendable {
    // Touched by the server's thread only, but for the three that are atomic.

    /// More exchanges than these do not wait in place.
    static let placesMax = 128
    /// After so many rounds an exchange in place is suspended.
    static let roundsInPlaceMax: UInt64 = 100
    /// Held answers go out when there are so many, or after so many rounds.
    static let heldMax = 64
    static let roundsHeldMax = 4
    /// With so many in place it looks before it sleeps, so often at most, each time giving way.
    static let watchedPlacesMin = 16
    static let looksMax = 300
    /// While somebody waits in place a round is due at least so often: libmicrohttpd does not tell
    /// whether one of the others needs it.
    static let roundMilliseconds: Int32 = 1

    private let mayWatch: Bool

    /// Exchanges in place.
    private(set) var places = 0
    /// Since the start.
    private(set) var round: UInt64 = 0
    /// For answers, since the start.
    private(set) var looks = 0
    /// Anything that a round brought about.
    var steps: UInt64 = 0
    /// Answers that wait for more requests to be read.
    var held = 0
    /// They go out in this round.
    private(set) var isReleasing = false
    private var roundsHeld = 0
    private var hasNewRequests = false

    /// Responses to exchanges in place.
    private let answers = Atomic<UInt64>(0)
    private let isAsleep = Atomic<Bool>(false)
    private let isStopping = Atomic<Bool>(false)
    private let pipe = WakePipe()

    init(mayWatch: Bool) { self.mayWatch = mayWatch }

    func noteRequest() {
        steps += 1
        hasNewRequests = true
    }

    func takePlace() -> Bool {
        guard places < Self.placesMax else { return false }
        places += 1
        return true
    }

    func leavePlace() { places -= 1 }

    /// A parked exchange was answered. From any thread.
    func noteAnswer() {
        answers.add(1, ordering: .sequentiallyConsistent)
        if isAsleep.exchange(false, ordering: .sequentiallyConsistent) { pipe.wake() }
    }

    /// `run` returns after its round. From any thread.
    func stop() {
        isStopping.store(true, ordering: .sequentiallyConsistent)
        pipe.wake()
    }

    func run(_ daemon: OpaquePointer, _ handler: any HTTPHandler) {
        let epoll = unsafe costgauge_mhd_epoll(daemon)
        while !isStopping.load(ordering: .sequentiallyConsistent) {
            let (stepsBefore, answersBefore) = (steps, answers.load(ordering: .acquiring))
            beginRound()
            handler.roundBegins()
            unsafe MHD_run(daemon)
            handler.roundEnded()
            // After a round that brought something there often is more.
            guard steps == stepsBefore, held == 0 else { continue }
            if watch(epoll, unless: answersBefore) { continue }
            let milliseconds =
                places == 0 ? unsafe costgauge_mhd_timeout(daemon) : Self.roundMilliseconds
            if milliseconds != 0 { sleep(epoll, milliseconds, unless: answersBefore) }
        }
        unsafe finish(daemon)
    }

    func beginRound() {
        round += 1
        roundsHeld = held == 0 ? 0 : roundsHeld + 1
        isReleasing =
            !hasNewRequests || held >= Self.heldMax || roundsHeld >= Self.roundsHeldMax
        hasNewRequests = false
    }

    /// True when an answer or a request has come.
    func watch(_ epoll: Int32, unless answersBefore: UInt64) -> Bool {
        guard mayWatch, places >= Self.watchedPlacesMin else { return false }
        for _ in 0..<Self.looksMax {
            yieldThread()
            looks += 1
            if answers.load(ordering: .acquiring) != answersBefore { return true }
            var polled = pollfd(fd: epoll, events: Int16(POLLIN), revents: 0)
            if unsafe poll(&polled, 1, 0) > 0 { return true }
        }
        return false
    }

    private func sleep(_ epoll: Int32, _ milliseconds: Int32, unless answersBefore: UInt64) {
        isAsleep.store(true, ordering: .sequentiallyConsistent)
        if answers.load(ordering: .sequentiallyConsistent) == answersBefore {
            var polled = (
                pollfd(fd: epoll, events: Int16(POLLIN), revents: 0),
                pollfd(fd: pipe.file, events: Int16(POLLIN), revents: 0)
            )
            unsafe withUnsafeMutableBytes(of: &polled) { bytes in
                _ = unsafe poll(
                    bytes.assumingMemoryBound(to: pollfd.self).baseAddress, 2, milliseconds)
            }
            if polled.1.revents != 0 { pipe.drain() }
        }
        isAsleep.store(false, ordering: .sequentiallyConsistent)
    }

    /// What was answered before still goes out.
    private func finish(_ daemon: OpaquePointer) {
        for _ in 0..<Self.roundsInPlaceMax {
            let stepsBefore = steps
            beginRound()
            unsafe MHD_run(daemon)
            if steps == stepsBefore, held == 0 { return }
        }
    }
}
