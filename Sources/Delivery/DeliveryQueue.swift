internal import Alerts

/// Which delivery goes next, and when: a pure machine over monotonic nanoseconds.
///
/// Deliveries of one receiver and one dedup key form a lane and go in order; lanes never wait for
/// each other. A receiver that fails three times in a row gets one probe every 10 s until it takes
/// something again; then everything that waits for it is due at once.
struct DeliveryQueue {
    static let failuresMax = 3
    static let probeNanos: UInt64 = 10_000_000_000
    /// A delivery is given up after a day, though not before it was tried some times: the machine,
    /// or its clock, may have lost that day.
    static let ageNanosMax: UInt64 = 86_400_000_000_000
    static let attemptsMin = 10
    /// Deliveries of one receiver held in memory; the rest stays in the store until there is room.
    static let itemsMax = 1000
    private static let second: UInt64 = 1_000_000_000

    struct Item: Equatable {
        var delivery: Delivery
        /// When trying began, on the monotonic clock; it may lie before that clock's zero.
        let since: Int64
        /// Not before this moment, for the head of its lane.
        var due: UInt64
    }

    enum Step: Equatable {
        case send(Delivery)
        /// Nothing is due before this moment; nil: nothing waits.
        case wait(until: UInt64?)
    }

    struct Lane {
        var items: [Item] = []
        var isInFlight = false
    }

    /// The head of a lane among those that are not in flight.
    struct Head: Comparable {
        let due: UInt64
        let sequence: Int64
        let key: String

        static func < (left: Head, right: Head) -> Bool {
            (left.due, left.sequence) < (right.due, right.sequence)
        }
    }

    struct Line {
        var pauseNanos: UInt64
        var inFlightMax: Int
        /// Its receiver is no longer configured: it only waits for what is in flight.
        var isClosed = false
        var count = 0
        var lanes: [String: Lane] = [:]
        /// Ascending.
        var heads: [Head] = []
        var inFlight = 0
        var failures = 0
        /// No request before this moment: its rate, what it asked for, the next probe.
        var openAt: UInt64 = 0
        /// When the present row of failures began.
        var failingSince: UInt64?

        var isBroken: Bool { failures >= DeliveryQueue.failuresMax }
    }

    private var lines: [String: Line] = [:]

    /// Takes receivers over. Lines of those that are gone end with their last request in flight;
    /// what waits in them stays in the store.
    mutating func configure(_ receivers: [Receiver]) {
        for name in lines.keys { lines[name]?.isClosed = true }
        for receiver in receivers {
            var line =
                lines[receiver.name]
                ?? Line(pauseNanos: receiver.pauseNanos, inFlightMax: receiver.inFlightMax)
            line.isClosed = false
            line.pauseNanos = receiver.pauseNanos
            line.inFlightMax = receiver.inFlightMax
            if line.isBroken { line.openAt = 0 }
            line.failures = 0
            line.failingSince = nil
            lines[receiver.name] = line
        }
        for (name, line) in lines where line.isClosed && line.inFlight == 0 { lines[name] = nil }
    }

    func knows(_ receiver: String) -> Bool { lines[receiver] != nil }

    /// How many more deliveries of a receiver may be held in memory.
    func room(for receiver: String) -> Int {
        lines[receiver].map { max(0, Self.itemsMax - $0.count) } ?? 0
    }

    /// Deliveries of a receiver come in the order of their sequence.
    mutating func add(_ delivery: Delivery, since: Int64, due: UInt64) {
        lines[delivery.receiver]?.add(Item(delivery: delivery, since: since, due: due))
    }

    /// Takes the turn of a request that is no delivery; false when the receiver's rate or its
    /// breaker does not allow one now.
    mutating func takesTurn(_ receiver: String, now: UInt64) -> Bool {
        guard let line = lines[receiver], !line.isClosed, line.openAt <= now else { return false }
        lines[receiver]?.openAt = now + (line.isBroken ? Self.probeNanos : line.pauseNanos)
        return true
    }

    /// What became of such a request.
    mutating func answered(_ receiver: String, now: UInt64) {
        lines[receiver]?.succeeded(now: now)
    }

    mutating func failed(_ receiver: String, pause: UInt64?, now: UInt64) {
        lines[receiver]?.failed(pause: pause, now: now)
    }

    /// The next request to send; it is then in flight until `ended`.
    mutating func next(now: UInt64) -> Step {
        var earliest: UInt64?
        for name in lines.keys.sorted() {
            guard var line = lines[name] else { continue }
            switch line.next(now: now) {
            case .send(let delivery):
                lines[name] = line
                return .send(delivery)
            case .wait(let until?): earliest = min(earliest ?? until, until)
            case .wait(nil): break
            }
        }
        return .wait(until: earliest)
    }

    /// Takes in what became of a request. Answers the delivery as it is to be stored; nil when it
    /// is none of those in flight.
    ///
    /// - Parameter random: a number below its argument.
    mutating func ended(
        _ delivery: Delivery, _ verdict: Verdict, now: UInt64, unixNow: Int64,
        random: (UInt64) -> UInt64
    ) -> Delivery? {
        guard var line = lines[delivery.receiver],
            var item = line.lanes[delivery.dedupKey]?.items.first,
            item.delivery.sequence == delivery.sequence
        else { return nil }
        item.delivery.attempts += 1
        line.inFlight -= 1
        line.lanes[delivery.dedupKey]?.isInFlight = false
        switch verdict {
        case .delivered(let status, let note):
            item.delivery.end(.delivered, status, note, unixNow)
            line.succeeded(now: now)
        case .refused(let status, let error):
            item.delivery.end(.dead, status, error, unixNow)
            // It answers, so it is there.
            line.succeeded(now: now)
        case .failed(let status, let error, let pause):
            let age = UInt64(max(0, Int64(clamping: now) - item.since))
            item.delivery.answer = status
            item.delivery.error = error
            line.failed(pause: pause, now: now)
            if age >= Self.ageNanosMax, item.delivery.attempts >= Self.attemptsMin {
                item.delivery.end(.dead, status, error, unixNow)
            } else {
                let delay = pause ?? Self.backOff(age: age, item.delivery.attempts, random)
                item.due = now + delay
                item.delivery.next = unixNow + Int64(delay)
            }
        }
        let result = item.delivery
        if result.state == .pending {
            line.lanes[delivery.dedupKey]?.items[0] = item
        } else {
            line.lanes[delivery.dedupKey]?.items.removeFirst()
            line.count -= 1
        }
        line.lineUp(delivery.dedupKey)
        lines[delivery.receiver] = line.isClosed && line.inFlight == 0 ? nil : line
        return result
    }

    /// Full jitter: a random part of a step that doubles from 1 s to 5 s, later 60 s, then 15 min.
    /// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    private static func backOff(
        age: UInt64, _ attempts: Int, _ random: (UInt64) -> UInt64
    ) -> UInt64 {
        let cap: UInt64 =
            if age < 120 * second { 5 } else if age < 3600 * second { 60 } else { 900 }
        let step = min(cap, 1 << UInt64(min(20, attempts - 1)))
        return random(step * second + 1)
    }

    /// A receiver that has failed without a break since then.
    func failingSince(_ receiver: String) -> UInt64? { lines[receiver]?.failingSince }

    /// How many of a receiver are held in memory.
    func count(of receiver: String) -> Int { lines[receiver]?.count ?? 0 }

    /// Since when the oldest of a receiver waits, in Unix nanoseconds.
    func oldest(of receiver: String) -> Int64? {
        lines[receiver]?.lanes.values.compactMap { $0.items.first?.delivery.created }.min()
    }
}

extension DeliveryQueue.Line {
    mutating func add(_ item: DeliveryQueue.Item) {
        let key = item.delivery.dedupKey
        count += 1
        lanes[key, default: .init()].items.append(item)
        if lanes[key]?.items.count == 1 { lineUp(key) }
    }

    /// Puts the head of a lane among the heads, or forgets an empty lane.
    mutating func lineUp(_ key: String) {
        guard let lane = lanes[key], let first = lane.items.first else {
            lanes[key] = nil
            return
        }
        guard !lane.isInFlight else { return }
        insert(.init(due: first.due, sequence: first.delivery.sequence, key: key))
    }

    private mutating func insert(_ head: DeliveryQueue.Head) {
        var low = 0
        var high = heads.count
        while low < high {
            let middle = (low + high) / 2
            if heads[middle] < head { low = middle + 1 } else { high = middle }
        }
        heads.insert(head, at: low)
    }

    mutating func next(now: UInt64) -> DeliveryQueue.Step {
        guard !isClosed, let head = heads.first, inFlight < (isBroken ? 1 : inFlightMax) else {
            return .wait(until: nil)
        }
        // A probe does not wait for its delivery's own turn.
        let due = isBroken ? openAt : max(openAt, head.due)
        guard due <= now, let item = lanes[head.key]?.items.first else { return .wait(until: due) }
        heads.removeFirst()
        lanes[head.key]?.isInFlight = true
        inFlight += 1
        openAt = now + (isBroken ? DeliveryQueue.probeNanos : pauseNanos)
        return .send(item.delivery)
    }

    mutating func succeeded(now: UInt64) {
        let wasBroken = isBroken
        failures = 0
        failingSince = nil
        guard wasBroken else { return }
        openAt = now + pauseNanos
        for key in lanes.keys {
            guard lanes[key]?.items.isEmpty == false else { continue }
            lanes[key]?.items[0].due = now
        }
        heads = heads.map { .init(due: now, sequence: $0.sequence, key: $0.key) }.sorted()
    }

    mutating func failed(pause: UInt64?, now: UInt64) {
        failures += 1
        failingSince = failingSince ?? now
        if let pause {
            openAt = max(openAt, now + pause)
        } else if isBroken {
            openAt = now + DeliveryQueue.probeNanos
        }
    }
}

extension Delivery {
    fileprivate mutating func end(
        _ state: DeliveryState, _ status: Int?, _ error: String?, _ now: Int64
    ) {
        self.state = state
        answer = status
        self.error = error
        ended = now
    }
}
