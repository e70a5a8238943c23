internal import Usage

/// Title and summary of a candidate, in words that need no explanation.
struct AnomalyWords {
    let title: String
    let summary: String
    let spanSeconds: Int64

    init(_ candidate: Candidate, subject: String, windowSeconds: Int64) {
        let observed = Self.dollars(candidate.observed)
        let expected = Self.dollars(candidate.expected)
        let times = FixedText.text(candidate.ratio, decimals: 1) + "x"
        let (span, seconds) = Self.span(candidate.span, windowSeconds)
        spanSeconds = seconds
        switch candidate.kind {
        case .spike where candidate.expected < 0.005:
            title = "\(subject) spends where there is usually next to nothing"
            summary =
                "\(subject) spent \(observed) \(span), where there is usually next to no spend"
        case .spike:
            title = "\(subject) spends \(times) its usual"
            let base = candidate.why.map { ", \($0)" } ?? " for this hour"
            summary =
                "\(subject) spent \(observed) \(span), \(times) its usual \(expected)\(base)"
                + SpendAlert.weekAgo(candidate.lastWeek)
        case .drop:
            let percent = FixedText.text(100 * max(0, candidate.ratio), decimals: 0)
            title = "spend of \(subject) has dropped to \(percent)% of its usual"
            summary =
                "\(subject) spent \(observed) \(span), \(percent)% of its usual \(expected) "
                + "for this hour"
        case .priceShift:
            let percent = FixedText.text(abs(candidate.ratio - 1) * 100, decimals: 0)
            let word = candidate.ratio > 1 ? "more" : "less"
            title = "tokens of \(subject) cost \(percent)% \(word) than usual"
            summary =
                "a thousand tokens of \(subject) cost \(Self.fine(candidate.observed)), "
                + "\(percent)% \(word) than their usual \(Self.fine(candidate.expected))"
        case .newSpender:
            title = "\(subject) is new and spends a lot"
            summary = "\(subject) was not there before and spent \(observed) \(span)"
        }
    }

    private static func span(_ span: Candidate.Span, _ window: Int64) -> (String, Int64) {
        switch span {
        case .window:
            let minutes = window / 60
            return (window % 60 == 0 ? "in \(minutes) min" : "in \(window) s", window)
        case .hours(let hours):
            let seconds = Int64(hours * 3600)
            if hours <= 1 { return ("in about the last hour", seconds) }
            return ("in about the last \(FixedText.short(hours)) h", seconds)
        case .today: return ("today", 86_400)
        case .day: return ("within a day", 86_400)
        }
    }

    /// `92% of it is user u-17 on gpt-4o`; nil when nobody has half of it.
    static func behind(_ contributors: [Anomaly.Contributor]) -> String? {
        let large = contributors.filter { $0.shareMille >= 500 }
        let model = large.first { $0.dimension == .model }
        let who =
            large.first { $0.dimension == .user } ?? large.first { $0.dimension == .feature }
            ?? large.first { $0.dimension != .model && $0.dimension != .tenant }
            ?? large.first { $0.dimension == .tenant }
        guard let who else { return model.map { "\(percent($0)) of it is on \($0.value)" } }
        let text = "\(percent(who)) of it is \(who.dimension) \(who.value)"
        guard let model else { return text }
        // Two shares are one only when the model is nearly all of it.
        return model.shareMille >= 990
            ? "\(text) on \(model.value)" : "\(text), \(percent(model)) is on \(model.value)"
    }

    private static func percent(_ contributor: Anomaly.Contributor) -> String {
        "\(contributor.shareMille / 10)%"
    }

    static func dollars(_ amount: Double) -> String {
        "$" + FixedText.text(amount, decimals: 2)
    }

    private static func fine(_ amount: Double) -> String {
        "$" + FixedText.text(amount, decimals: 6)
    }

    /// For the record, not for sums: rounded to the nano-dollar.
    static func amount(_ dollars: Double) -> NanoUSD {
        NanoUSD(nanos: Int64((min(max(dollars, -9e9), 9e9) * 1e9).rounded()))
    }
}
