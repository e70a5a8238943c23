internal import Synchronization
internal import TimeZones
public import Usage
internal import Wire

/// Prices the events of a batch from the current book. The way to a price is found once per model,
/// span of time and length of prompt, and remembered as a plan; an event then costs one probe and a
/// few multiplications.
public final class Pricer: Sendable {
    private struct State {
        var book: PriceBook
        var cache = PlanCache()
    }

    private let names: Names
    private let state: Mutex<State>

    public init(book: PriceBook, names: Names) {
        self.names = names
        state = Mutex(State(book: book))
    }

    public var book: PriceBook { state.withLock { $0.book } }

    /// Events that arrive from now on take their prices from `book`.
    public func replace(book: PriceBook) {
        state.withLock { $0 = State(book: book) }
    }

    /// Fills in amounts that the sender did not report. An event whose model has no price stays
    /// unpriced.
    public func price(_ rows: inout EventRows, _ range: Range<Int>) {
        state.withLock { state in
            for index in range {
                if rows.events[index].amount != nil { continue }
                Self.price(&rows.events[index], names, &state)
            }
        }
    }

    private static func price(_ event: inout CostEvent, _ names: Names, _ state: inout State) {
        let isEstimated = estimateTokens(&event)
        // Sandboxes are priced by their resource, which takes the place of the model.
        let isCompute = event.isCompute
        let model = isCompute ? event.resource : event.model
        let key = UInt64(event.provider) << 32 | UInt64(model)
        let index =
            state.cache.find(key, event.timestamp, event.tokens.input, .standard)
            ?? makePlan(key, event, names, &state)
        let plan = state.cache.plans[index]
        let cost: NanoUSD?
        switch plan.outcome {
        case .unpriced: return
        case .tokens: cost = state.cache.cards[Int(plan.index)].cost(event.tokens)?.rounded
        case .compute:
            cost = PriceEngine.computeCost(
                state.book.rows[Int(plan.index)], micros: event.computeMicros,
                vcpuMilli: event.vcpuMilli, gibMilli: event.gibMilli)
        }
        guard let cost else { return }
        event.amount = cost
        event.costSource = isEstimated ? .estimated : .computed
        if event.provider == 0 { event.provider = plan.provider }
    }

    /// Four characters to a token, the rule of thumb of OpenAI's documentation for English text.
    @inline(__always)
    private static func estimateTokens(_ event: inout CostEvent) -> Bool {
        guard event.tokens.input == 0, event.tokens.output == 0,
            event.textInputChars > 0 || event.textOutputChars > 0
        else { return false }
        event.tokens.input = event.textInputChars / 4 + (event.textInputChars % 4 > 0 ? 1 : 0)
        event.tokens.output = event.textOutputChars / 4 + (event.textOutputChars % 4 > 0 ? 1 : 0)
        return true
    }

    /// The index of a new plan for this event's price.
    @inline(never)
    private static func makePlan(
        _ key: UInt64, _ event: CostEvent, _ names: Names, _ state: inout State
    ) -> Int {
        let seconds = floorDivide(event.timestamp, 1_000_000_000)
        var plan = PricePlan()
        plan.tier = .standard
        var span = state.book.steadySpan(around: seconds)
        var card: RateCard?
        let provider = names.text(event.provider)
        if event.isCompute {
            let resource = names.text(event.resource)
            if let row = state.book.computeRow(
                provider: provider, resource: resource, at: seconds)
            {
                plan.outcome = .compute
                plan.index = Int32(row)
                plan.provider = names.intern(state.book.rows[row].provider)
            }
        } else if let found = state.book.find(
            provider: provider, model: names.text(event.model), at: seconds)
        {
            let row = state.book.rows[found.row]
            if let offPeak = row.offPeak {
                span = span.clamped(to: offPeak.steadySpan(around: seconds))
            }
            var context = PriceContext()
            context.time = seconds
            if row.isBilledByTokens {
                card = RateCard(
                    RateResolver(row: row, prompt: UInt64(event.tokens.input), context: context))
                plan.outcome = .tokens
                let prompts = RateResolver.steadyPrompts(of: row, around: event.tokens.input)
                plan.promptMin = prompts.lowerBound
                plan.promptMax = prompts.upperBound
            }
            plan.provider = names.intern(row.provider)
        }
        plan.from = nanos(span.lowerBound)
        plan.to = nanos(span.upperBound)
        return state.cache.insert(key, plan, card)
    }

    private static func nanos(_ seconds: Int64) -> Int64 {
        let (nanos, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? (seconds < 0 ? .min : .max) : nanos
    }
}
