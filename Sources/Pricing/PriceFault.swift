/// Something wrong with one price: where, and what to write instead.
public struct PriceFault: Error, Equatable, Sendable, CustomStringConvertible {
    public var file: String
    /// Empty when the fault is of the whole file.
    public var model: String
    public var key: String
    public var message: String
    /// A doubt: the price is taken.
    public var isWarning: Bool

    public init(
        file: String, model: String = "", key: String = "", message: String,
        isWarning: Bool = false
    ) {
        self.file = file
        self.model = model
        self.key = key
        self.message = message
        self.isWarning = isWarning
    }

    public var description: String {
        ([file] + [model, key].filter { !$0.isEmpty } + [message]).joined(separator: ": ")
    }
}

/// What reading one list of prices gave.
public struct PriceList: Equatable, Sendable {
    /// The file, or a word for the built-in list.
    public var name: String
    public var rows: [PriceRow] = []
    /// In the order of the file; rows with a fault that is no warning are left out of `rows`.
    public var faults: [PriceFault] = []

    public init(name: String) { self.name = name }

    public var warnings: [PriceFault] { faults.filter(\.isWarning) }
    public var errors: [PriceFault] { faults.filter { !$0.isWarning } }
}

/// The bounds of a believable rate, the same for every kind of file.
public enum RateBounds {
    /// Dearer tokens are taken with a warning: ten times the dearest published one.
    public static let tokenDoubt = ExactUSD(units: ExactUSD.one.units / 1000)
    /// Dearer tokens are a mistake of the unit: a price per million read as one per token.
    public static let tokenMax = ExactUSD.one
    /// No second, page or query costs more.
    public static let unitMax = ExactUSD(units: ExactUSD.one.units * 10_000)

    /// Nil when the rate is good; the message and whether it is only a doubt.
    public static func doubt(_ rate: ExactUSD, _ kind: RateKind) -> (String, isWarning: Bool)? {
        if rate < .zero { return ("\(rate.decimal) is negative", false) }
        if kind.isToken {
            if rate > tokenMax {
                return (
                    "$\(rate.decimal) per token is absurd; is it a price per million tokens?", false
                )
            }
            if rate > tokenDoubt {
                return ("$\(rate.decimal) per token is more than $0.001; is the unit right?", true)
            }
        } else if rate > unitMax {
            return ("$\(rate.decimal) per unit is absurd", false)
        }
        return nil
    }
}
