/// From usage, row and context to amounts: pure, in integers, and the only place that multiplies a
/// price. `RateCard` is the same for events whose units are tokens alone.
public enum PriceEngine {
    /// The bill of one call by one row.
    public static func bill(
        _ usage: ReportedUsage, row: PriceRow, context: PriceContext
    ) throws(Unpriced) -> Bill {
        var draft = Draft(usage: usage, row: row, context: context)
        try draft.addTokens()
        try draft.addUnits()
        try draft.addTools()
        try draft.checkUnits()
        try draft.addSurcharges()
        return draft.bill
    }

    /// The cost that a provider reports is the truth for the whole call. It is split between prompt
    /// and answer in proportion to the computed parts; without those it is the answer's.
    public static func split(reported: ExactUSD, by computed: Bill?) -> Bill {
        var bill = Bill()
        bill.flags = ["provider_reported"]
        bill.completion = reported
        guard let computed, let total = ExactUSD.sum(computed.prompt, computed.completion),
            total > .zero,
            let prompt = reported.scaled(by: computed.prompt.units, over: total.units)
        else { return bill }
        bill.prompt = prompt
        bill.completion = ExactUSD(units: reported.units - prompt.units)
        return bill
    }
}

/// A bill being written.
private struct Draft {
    let usage: ReportedUsage
    let row: PriceRow
    let context: PriceContext
    let buckets: Buckets
    let rates: RateResolver
    var bill = Bill()

    init(usage: ReportedUsage, row: PriceRow, context: PriceContext) {
        self.usage = usage
        self.row = row
        self.context = context
        buckets = Buckets(usage)
        rates = RateResolver(row: row, prompt: usage.prompt, context: context)
        bill.flags = buckets.flags.map(\.rawValue)
    }

    private mutating func add(
        _ kind: RateKind, nanos: Int128, _ rate: ResolvedRate, as part: Bill.Line.Part
    ) throws(Unpriced) {
        guard let usd = rate.usd.scaled(by: nanos, over: 1_000_000_000) else {
            throw .outOfRange
        }
        bill.lines.append(
            Bill.Line(
                kind: kind, part: part, quantityNanos: nanos, rate: rate.usd, rule: rate.rule,
                usd: usd))
        func plus(_ sum: inout ExactUSD) throws(Unpriced) {
            guard let next = ExactUSD.sum(sum, usd) else { throw .outOfRange }
            sum = next
        }
        switch part {
        case .prompt: try plus(&bill.prompt)
        case .completion: try plus(&bill.completion)
        case .tools: try plus(&bill.tools)
        }
    }

    private mutating func add(
        _ kind: RateKind, _ count: UInt64, as part: Bill.Line.Part? = nil
    ) throws(Unpriced) {
        guard count > 0 else { return }
        guard let rate = rates.rate(kind) else { throw .noRate(kind) }
        try add(
            kind, nanos: Int128(count) * 1_000_000_000, rate,
            as: part ?? (kind.isCompletion ? .completion : .prompt))
    }

    mutating func addTokens() throws(Unpriced) {
        for kind in RateKind.allCases where kind.isToken {
            if isBilledOtherwise(kind) { continue }
            // Citations cost only where the list prices them.
            if kind == .citation, row[.citation] == nil { continue }
            try add(kind, buckets[kind])
        }
    }

    /// Characters, pictures and seconds take the place of the tokens that they became.
    private func isBilledOtherwise(_ kind: RateKind) -> Bool {
        let units = usage.units
        return switch kind {
        case .input: units.inputCharacters > 0 && row[.inputCharacter] != nil
        case .output: units.outputCharacters > 0 && row[.outputCharacter] != nil
        case .imageInput: units.images > 0 && row[.image] != nil
        case .audioInput: units.audioNanos > 0 && row[.audioSecond] != nil
        case .videoInput: units.videoNanos > 0 && row[.videoSecond] != nil
        default: false
        }
    }

    mutating func addUnits() throws(Unpriced) {
        let units = usage.units
        if row[.inputCharacter] != nil { try add(.inputCharacter, units.inputCharacters) }
        if row[.outputCharacter] != nil { try add(.outputCharacter, units.outputCharacters) }
        if row[.image] != nil { try add(.image, units.images) }
        if row[.query] != nil { try add(.query, units.queries) }
        if row[.page] != nil { try add(.page, units.pages) }
        if row[.session] != nil { try add(.session, units.sessions) }
        try addSeconds(.videoSecond, units.videoNanos, as: .prompt)
        try addSound()
        // Models that price no token at all are billed by how long the request ran.
        if !row.pricesTokens, row.mode != "audio_transcription" {
            let kinds: [RateKind] = [.runningSecond, .inputSecond, .outputSecond]
            let kind = kinds.first { row[$0] != nil }
            if let kind { try addSeconds(kind, units.runningNanos, as: .prompt) }
        }
    }

    /// Sound is billed by its tokens where the response counts them, else by its seconds.
    private mutating func addSound() throws(Unpriced) {
        let nanos = usage.units.audioNanos
        guard nanos > 0 else { return }
        if row[.audioSecond] != nil { return try addSeconds(.audioSecond, nanos, as: .prompt) }
        guard usage.prompt == 0, usage.completion == 0 else { return }
        if (row[.outputSecond] ?? .zero) > .zero {
            return try addSeconds(.outputSecond, nanos, as: .completion)
        }
        try addSeconds(.inputSecond, nanos, as: .prompt)
    }

    private mutating func addSeconds(
        _ kind: RateKind, _ nanos: UInt64, as part: Bill.Line.Part
    ) throws(Unpriced) {
        guard nanos > 0, let rate = rates.rate(kind) else { return }
        try add(kind, nanos: Int128(nanos), rate, as: part)
    }

    mutating func addTools() throws(Unpriced) {
        let searches = usage.units.webSearches
        guard searches > 0 else { return }
        guard let price = row.searchPrice else {
            bill.flags.append(Bill.searchWithoutPrice)
            return
        }
        let rate = ResolvedRate(
            usd: price.usd,
            rule: price.isPerPrompt ? "web search, per prompt" : "web search, each")
        try add(
            .webSearch, nanos: Int128(price.isPerPrompt ? 1 : searches) * 1_000_000_000, rate,
            as: row.provider == "perplexity" ? .completion : .tools)
    }

    /// A model that is billed by a unit of which the call reports none is not free, and a unit that
    /// the row does not price is not free either.
    func checkUnits() throws(Unpriced) {
        if bill.lines.isEmpty, let unit = usage.units.firstReported { throw .noRate(unit) }
        guard !row.pricesTokens, bill.lines.allSatisfy({ $0.kind.isToken }) else { return }
        for kind in RateKind.allCases where !kind.isToken && (row[kind] ?? .zero) > .zero {
            throw .unitMissing(kind)
        }
        let hasRate = row.rates.contains { $0.key.kind.isToken }
        guard hasRate else { throw .noRate(.input) }
    }

    mutating func addSurcharges() throws(Unpriced) {
        bill.surcharges = rates.surcharges
        for surcharge in bill.surcharges {
            guard let prompt = bill.prompt.times(surcharge.factor),
                let completion = bill.completion.times(surcharge.factor)
            else { throw .outOfRange }
            bill.prompt = prompt
            bill.completion = completion
        }
    }
}
