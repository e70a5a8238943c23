extension SpendAlert {
    private func amount(_ dollars: Double) -> String {
        "$" + FixedText.text(dollars, decimals: 2)
    }

    /// Nothing where the week before was as expected.
    static func weekAgo(_ dollars: Double) -> String {
        dollars < 0.01
            ? ""
            : "; a week ago it was $\(FixedText.text(dollars, decimals: 2)) over the usual at this hour, too"
    }

    /// Why, in a sentence without a subject: `spent $41.20 over about the last 1 h, 6.3x the usual
    /// $6.50 for this hour and weekday (16.1 sigma, beyond its recent record)`.
    public var why: String {
        let span = FixedText.short(horizonHours)
        let spent = "spent \(amount(observed)) over about the last \(span) h"
        switch direction {
        case .drop:
            let percent = FixedText.text(100 * max(0, ratio), decimals: 0)
            return
                "\(spent), \(percent)% of the usual \(amount(expected)) for this hour and weekday"
        case .spike where expected < 0.005:
            return "\(spent) where there is usually next to no spend"
        case .spike:
            let times = FixedText.text(ratio, decimals: 1)
            let sigmas = FixedText.text(min(z, 99), decimals: 1)
            return "\(spent), \(times)x the usual \(amount(expected)) for this hour and weekday "
                + "(\(sigmas) sigma, beyond its recent record)\(Self.weekAgo(lastWeek))"
        }
    }
}
