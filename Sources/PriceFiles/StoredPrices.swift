public import Pricing
internal import Usage
internal import Wire

/// A row of prices that came through the API, kept as it was written.
public struct StoredPrice: Equatable, Sendable {
    public var fields: [PriceFields.Field]
    public var row: PriceRow

    public init(fields: [PriceFields.Field], row: PriceRow) {
        self.fields = fields
        self.row = row
    }

    /// A model has one row for each moment at which one comes into force.
    var key: String { row.key.lowercased() }
}

/// All rows that came through the API, by model and the moment from which they hold. A row stays
/// until it is withdrawn or another one for the same model and moment takes its place.
public struct StoredPrices: Equatable, Sendable {
    /// More rows are refused; whoever has so many writes a file.
    public static let countMax = 10_000

    public private(set) var prices: [StoredPrice]

    public init(_ prices: [StoredPrice] = []) { self.prices = prices }

    public var rows: [PriceRow] { prices.map(\.row) }

    public enum Refusal: Error, Equatable {
        /// What is wrong with the rows as they were sent, one text a fault.
        case bad([String])
        case notStored(String)
        case overlap([String])
        case full
    }

    /// What a request changed.
    public struct Change: Equatable, Sendable {
        public var stored: [StoredPrice] = []
        public var withdrawn: [Withdrawn] = []
        /// Doubts about prices that were taken.
        public var warnings: [String] = []

        public struct Withdrawn: Equatable, Sendable {
            public var key: String
            public var validFrom: Int64
        }
    }

    /// Takes all rows, or refuses them all. `withdrawn: true` takes the stored row of that model
    /// and `valid_from` out.
    public mutating func apply(_ rows: [[PriceFields.Field]]) throws(Refusal) -> Change {
        var change = Change()
        var faults: [String] = []
        var next = self
        for (index, fields) in rows.enumerated() {
            let reading = PriceFields.read(fields)
            for problem in reading.problems {
                let fault = PriceFault(
                    file: "prices[\(index)]", model: reading.name, key: problem.key,
                    message: problem.message)
                if problem.isWarning {
                    change.warnings.append(fault.description)
                } else {
                    faults.append(fault.description)
                }
            }
            if reading.isWithdrawn, reading.problems.allSatisfy(\.isWarning) {
                guard next.remove(reading.name, reading.validFrom) else {
                    throw .notStored(
                        "\(reading.name)\(Self.from(reading.validFrom)) is not stored here")
                }
                change.withdrawn.append(
                    Change.Withdrawn(key: reading.name, validFrom: reading.validFrom))
            } else if let row = reading.row {
                _ = next.remove(row.key, row.validFrom)
                let price = StoredPrice(fields: fields, row: row)
                next.prices.append(price)
                change.stored.append(price)
            }
        }
        guard faults.isEmpty else { throw .bad(faults) }
        guard next.prices.count <= Self.countMax else { throw .full }
        let overlaps = DatedRows.overlaps(
            next.prices.map { DatedRows.Entry(file: "prices", row: $0.row) })
        guard overlaps.isEmpty else { throw .overlap(overlaps.map(\.description)) }
        self = next
        return change
    }

    private mutating func remove(_ key: String, _ validFrom: Int64) -> Bool {
        let count = prices.count
        prices.removeAll { $0.key == key.lowercased() && $0.row.validFrom == validFrom }
        return prices.count < count
    }

    private static func from(_ seconds: Int64) -> String {
        seconds == .min
            ? " without valid_from" : " from \(RFC3339.text(unixNanos: seconds * 1_000_000_000))"
    }
}
