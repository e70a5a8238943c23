internal import Usage
internal import Wire

/// What each counter showed last, and the calls that its increase stands for.
///
///     delta:       a point is an increase; one that is not newer than the last came before
///     cumulative:  the increase is the difference to the last point; a new start time or a smaller
///                  value is a reset, and then the value itself is the increase
///
/// https://opentelemetry.io/docs/specs/otel/metrics/data-model/#temporality
struct CounterSeries {
    /// One point that was read, and what its series showed before.
    struct Step {
        let mark: CounterMark
        let before: CounterMark?
    }

    /// Two generations of so many series; one that was not heard of for a whole generation begins
    /// anew.
    static let generationMax = 65_536

    private var recent: [UInt64: CounterMark] = [:]
    private var older: [UInt64: CounterMark] = [:]

    /// - Parameter marks: of an earlier process, those heard of last at the end.
    init(marks: [CounterMark] = []) {
        for mark in marks { remember(mark) }
    }

    /// The increases of all points of a body, summed up into one call for each model, session and
    /// whatever else calls are booked under.
    mutating func read(
        _ reading: MetricReader.Reading, _ bytes: Span<UInt8>, isOn: Bool, startedNanos: Int64,
        services: inout ServiceSources
    ) -> BodyReading {
        var body = reading.body
        var calls: [UInt64: Interval] = [:]
        var order: [UInt64] = []
        for point in reading.points {
            guard isOn else {
                body.ignore(.switchedOff)
                continue
            }
            guard let increase = increase(of: point, startedNanos, &body) else { continue }
            let service = body.resources[point.resource].service
            let time = Int64(clamping: point.time)
            guard !services.hasCalls(service, at: time) else {
                body.ignore(.otherSource)
                continue
            }
            services.counted(service, until: time)
            guard increase > 0 else { continue }
            let key = Self.interval(point, bytes)
            if calls[key] == nil {
                calls[key] = Interval(point)
                order.append(key)
            }
            calls[key]?.add(increase, point, bytes)
        }
        for key in order {
            guard let interval = calls[key] else { continue }
            do throws(FactFault) {
                body.calls.append(try interval.call())
            } catch {
                body.faults.append(("point", error.message))
            }
        }
        return body
    }

    private mutating func increase(
        of point: CounterPoint, _ startedNanos: Int64, _ body: inout BodyReading
    ) -> Int64? {
        let last = recent[point.series] ?? older[point.series]
        if let last, point.time <= last.time {
            body.ignore(.stale)
            return nil
        }
        let mark = CounterMark(
            series: point.series, start: point.start, time: point.time, value: point.value)
        body.counters.append(Step(mark: mark, before: last))
        remember(mark)
        if point.isDelta { return point.value }
        guard let last else {
            // A counter that began after we did has told us everything; an older one has a past.
            let isNew = point.start != point.time && Int64(clamping: point.start) > startedNanos
            if !isNew { body.ignore(.baseline) }
            return isNew ? point.value : nil
        }
        let isReset = point.start > last.start || point.value < last.value
        return isReset ? point.value : point.value - last.value
    }

    private mutating func remember(_ mark: CounterMark) {
        if recent.count >= Self.generationMax, recent[mark.series] == nil {
            older = recent
            recent = [:]
        }
        recent[mark.series] = mark
    }

    /// The events of these points were not kept: the sender will send them again.
    mutating func undo(_ steps: [Step]) {
        for step in steps.reversed() {
            let series = step.mark.series
            // What has come since stands for itself.
            guard (recent[series] ?? older[series]) == step.mark else { continue }
            recent[series] = step.before
            older[series] = step.before
        }
    }

    /// Points that differ in nothing that calls are booked under tell of the same calls.
    private static func interval(_ point: CounterPoint, _ bytes: Span<UInt8>) -> UInt64 {
        var key = UInt64(point.resource)
        for fact in [
            Fact.provider, .requestModel, .responseModel, .operation, .conversation, .tenant,
            .user, .feature, .agent, .task,
        ] {
            var text: UInt64 = 0
            for byte in (point.facts.text(fact, bytes) ?? "").utf8 {
                text = (text ^ UInt64(byte)) &* 0x100_0000_01b3
            }
            key = mix(key, text)
        }
        return key
    }
}

/// The sums of one model and session in one body.
private struct Interval {
    var facts: Facts
    var resource: Int
    var time: UInt64
    var input: Int64 = 0
    /// Parts that are not in `input`.
    var beside: Int64 = 0
    var cacheRead: Int64 = 0
    var cacheWrite: Int64 = 0
    var output: Int64 = 0
    var reasoning: Int64 = 0
    var cost: Int64?

    init(_ point: CounterPoint) {
        facts = point.facts
        resource = point.resource
        time = point.time
    }

    mutating func add(_ value: Int64, _ point: CounterPoint, _ bytes: Span<UInt8>) {
        time = max(time, point.time)
        switch point.kind {
        case .cost: cost = (cost ?? 0) + value
        case .input: input += value
        case .output: output += value
        case .cacheRead: cacheRead += value
        case .cacheWrite: cacheWrite += value
        case .reasoning: reasoning += value
        case .tokens, .disjointTokens:
            let isDisjoint = point.kind == .disjointTokens
            switch point.facts.text(.tokenType, bytes) ?? "" {
            case "input": input += value
            case "output", "completion": output += value
            case "cacheRead", "cache_read":
                cacheRead += value
                if isDisjoint { beside += value }
            case "cacheCreation", "cache_creation", "cache_write":
                cacheWrite += value
                if isDisjoint { beside += value }
            default: break
            }
        }
    }

    func call() throws(FactFault) -> Call {
        func count(_ value: Int64) throws(FactFault) -> UInt32 {
            guard let count = UInt32(exactly: value) else {
                throw FactFault(message: "the interval has \(value) tokens; at most \(UInt32.max)")
            }
            return count
        }
        var call = Call()
        call.facts = facts
        call.resource = resource
        call.startNanos = Int64(clamping: time)
        call.hasTokens = true
        call.tokens.input = try count(max(input + beside, 0))
        call.tokens.output = try count(output)
        call.tokens.cachedInput = min(try count(cacheRead), call.tokens.input)
        call.tokens.cacheWrite = min(
            try count(cacheWrite), call.tokens.input - call.tokens.cachedInput)
        call.tokens.reasoning = min(try count(reasoning), call.tokens.output)
        if let cost {
            guard cost <= Limits.costMax.nanos else {
                throw FactFault(message: "the interval costs over \(Limits.costMax.decimal)")
            }
            call.amount = NanoUSD(nanos: cost)
        }
        return call
    }
}
