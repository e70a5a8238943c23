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
    struct Place: Hashable, Comparable {
        let key: String
        let validFrom: Int64

        init(_ key: String, _ validFrom: Int64) {
            self.key = key.lowercased()
            self.validFrom = validFrom
        }

        static func < (left: Place, right: Place) -> Bool {
            left.key == right.key ? left.validFrom < right.validFrom : left.key < right.key
        }
    }

    var place: Place { Place(row.key, row.validFrom) }
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
        /// What stood in the place of each stored one.
        public var replaced: [StoredPrice?] = []
        public var withdrawn: [Withdrawn] = []
        /// Doubts about prices that were taken.
        public var warnings: [String] = []

        public struct Withdrawn: Equatable, Sendable {
            public var key: String
            public var validFrom: Int64
            public var before: StoredPrice
        }
    }

    /// Takes all rows, or refuses them all. `withdrawn: true` takes the stored row of that model
    /// and `valid_from` out.
    public mutating func apply(_ rows: [[PriceFields.Field]]) throws(Refusal) -> Change {
        var change = Change()
        var faults: [String] = []
        var next = Dictionary(
            prices.map { ($0.place, $0) }, uniquingKeysWith: { $1 })
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
                let place = StoredPrice.Place(reading.name, reading.validFrom)
                guard let before = next.removeValue(forKey: place) else {
                    throw .notStored(
                        "\(reading.name)\(Self.from(reading.validFrom)) is not stored here")
                }
                change.withdrawn.append(
                    Change.Withdrawn(
                        key: reading.name, validFrom: reading.validFrom, before: before))
            } else if let row = reading.row {
                let price = StoredPrice(fields: fields, row: row)
                change.replaced.append(next.updateValue(price, forKey: price.place))
                change.stored.append(price)
            }
        }
        guard faults.isEmpty else { throw .bad(faults) }
        guard next.count <= Self.countMax else { throw .full }
        let ordered = next.sorted { $0.key < $1.key }.map(\.value)
        let overlaps = DatedRows.overlaps(
            ordered.map { DatedRows.Entry(file: "prices", row: $0.row) })
        guard overlaps.isEmpty else { throw .overlap(overlaps.map(\.description)) }
        prices = ordered
        return change
    }

    private static func from(_ seconds: Int64) -> String {
        seconds == .min
            ? " without valid_from" : " from \(RFC3339.text(unixNanos: seconds * 1_000_000_000))"
    }
}
