/// How far from usual, and how much money: what a severity is made of.
public enum AnomalyGrade: Int, Comparable, CaseIterable, Sendable {
    case low = 1
    case medium, high, critical

    public var word: String { "\(self)" }

    public init?(word: String) {
        guard let match = Self.allCases.first(where: { $0.word == word }) else { return nil }
        self = match
    }

    public static func < (left: AnomalyGrade, right: AnomalyGrade) -> Bool {
        left.rawValue < right.rawValue
    }

    /// By the ratio to usual, held down where little money is at stake.
    public init(ratio: Double, excessDollars: Double, minDollars: Double) {
        let grade: AnomalyGrade =
            ratio < 2 ? .low : ratio < 4 ? .medium : ratio < 8 ? .high : .critical
        if excessDollars < 2 * minDollars {
            self = min(grade, .medium)
        } else if excessDollars < 10 * minDollars {
            self = min(grade, .high)
        } else {
            self = grade
        }
    }
}
