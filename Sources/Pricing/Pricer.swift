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
        var policy: PricingPolicy
        var looksAtTenants: Bool
        var cache = PlanCache()

        init(book: PriceBook, policy: PricingPolicy) {
            self.book = book
            self.policy = policy
            looksAtTenants = policy.looksAtTenants
        }
    }

    private let names: Names
    private let state: Mutex<State>

    public init(book: PriceBook, policy: PricingPolicy = PricingPolicy(), names: Names) {
        self.names = names
        state = Mutex(State(book: book, policy: policy))
    }

    public var book: PriceBook { state.withLock { $0.book } }
    public var policy: PricingPolicy { state.withLock { $0.policy } }

    /// Events that arrive from now on take their prices from `book`.
    public func replace(book: PriceBook, policy: PricingPolicy) {
        state.withLock { $0 = State(book: book, policy: policy) }
    }

    /// Fills in amounts that the sender did not report. An event whose model has no price stays
    /// unpriced.
    public func price(_ rows: inout EventRows, _ range: Range<Int>) {
        state.withLock { state in
            if state.policy.profile == .development {
                for index in range {
                    rows.events[index].amount = .zero
                    rows.events[index].costSource = .computed
                }
                return
            }
            for index in range {
                if rows.events[index].amount != nil { continue }
                Self.price(&rows.events[index], names, &state)
            }
        }
    }

    private static func price(_ event: inout CostEvent, _ names: Names, _ state: inout State) {
        var isEstimated = estimateTokens(&event, names)
        // Sandboxes are priced by their resource, which takes the place of the model.
        let isCompute = event.isCompute
        let key = PlanKey(
            provider: event.provider, model: isCompute ? event.resource : event.model,
            tenant: state.looksAtTenants ? event.tenant : 0, region: event.region)
        let tier = event.serviceTier
        let index =
            state.cache.find(key, event.timestamp, event.tokens.input, tier)
            ?? makePlan(key, event, names, &state)
        let plan = state.cache.plans[index]
        let cost: NanoUSD?
        switch plan.outcome {
        case .unpriced: return
        case .tokens:
            let index = Int(plan.index)
            cost = state.cache.cards[index].cost(event)?.rounded
            if state.cache.cards[index].lacksSearchPrice(event) {
                event.flags.insert(.lacksSearchPrice)
                isEstimated = true
            }
        case .compute:
            cost = PriceEngine.computeCost(
                state.book.rows[Int(plan.index)], micros: event.computeMicros,
                vcpuMilli: event.vcpuMilli, gibMilli: event.gibMilli)
        }
        guard let cost else { return }
        if plan.isGuess { isEstimated = true }
        event.amount = cost
        event.costSource = isEstimated ? .estimated : .computed
        if event.provider == 0 { event.provider = plan.provider }
    }

    @inline(__always)
    private static func estimateTokens(_ event: inout CostEvent, _ names: Names) -> Bool {
        guard event.tokens.input == 0, event.tokens.output == 0,
            event.textInputChars > 0 || event.textOutputChars > 0
        else { return false }
        let rule = TokenEstimate(provider: names.text(event.provider))
        event.tokens.input = rule.tokens(event.textInputChars)
        event.tokens.output = rule.tokens(event.textOutputChars)
        return true
    }

    /// The index of a new plan for this event's price.
    @inline(never)
    private static func makePlan(
        _ key: PlanKey, _ event: CostEvent, _ names: Names, _ state: inout State
    ) -> Int {
        let seconds = floorDivide(event.timestamp, 1_000_000_000)
        var plan = PricePlan()
        plan.tier = event.serviceTier
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
        } else if let found = find(provider, event, seconds, names, state) {
            let row = state.book.rows[found.row]
            if let offPeak = row.offPeak {
                span = span.clamped(to: offPeak.steadySpan(around: seconds))
            }
            plan.isGuess = found.isGuess
            plan.provider = names.intern(row.provider)
            if row.isBilledByTokens {
                var context = PriceContext()
                context.time = seconds
                context.tier = event.serviceTier
                context.setRegion(names.text(event.region))
                let discount = state.policy.discount(
                    provider: row.provider, model: names.text(event.model),
                    tenant: names.text(event.tenant))
                card = RateCard(
                    RateResolver(row: row, prompt: UInt64(event.tokens.input), context: context),
                    discount: discount ?? .one)
                plan.outcome = .tokens
                let prompts = RateResolver.steadyPrompts(of: row, around: event.tokens.input)
                plan.promptMin = prompts.lowerBound
                plan.promptMax = prompts.upperBound
            }
        }
        plan.from = nanos(span.lowerBound)
        plan.to = nanos(span.upperBound)
        return state.cache.insert(key, plan, card)
    }

    /// The row of a model, or with the policy to estimate that of its dearest sibling.
    private static func find(
        _ provider: String, _ event: CostEvent, _ seconds: Int64, _ names: Names, _ state: State
    ) -> (row: Int, isGuess: Bool)? {
        let model = names.text(event.model)
        if let found = state.book.find(
            provider: provider, model: model, region: names.text(event.region), at: seconds)
        {
            return (found.row, false)
        }
        guard state.policy.unknown == .estimate else { return nil }
        let owner = provider.isEmpty ? ProviderNames.leading(of: model) : provider
        return state.book.dearest(of: owner, at: seconds).map { ($0, true) }
    }

    private static func nanos(_ seconds: Int64) -> Int64 {
        let (nanos, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? (seconds < 0 ? .min : .max) : nanos
    }
}
