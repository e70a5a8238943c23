public import Pricing

/// Puts the lists of prices together: the built-in one, the files of the configuration in their
/// order, the rows stored through the API, the rates of resources.
public enum PriceCatalogue {
    /// The largest file that is read.
    public static let fileBytesMax = 64 << 20
    public static let filesMax = 100

    /// What came of reading.
    public struct Loaded: Sendable {
        public var book: PriceBook
        /// All faults of the files in their order, doubts included.
        public var faults: [PriceFault]

        public var errors: [PriceFault] { faults.filter { !$0.isWarning } }
    }

    /// The content of a file, or why there is none.
    public enum Content: Sendable {
        case bytes([UInt8])
        case unreadable(cause: String)
    }

    /// - Parameter stored: rows that hide those of files.
    /// - Parameter now: Unix seconds; the moment of reading.
    public static func load(
        _ settings: PricingSettings, stored: [PriceRow] = [], now: Int64,
        read: (_ path: String) -> Content
    ) -> Loaded {
        typealias Part = (origin: PriceBook.Origin, rows: [PriceRow])
        var parts: [Part] = [BuiltInPrices.part()]
        var faults: [PriceFault] = []
        var dated: [DatedRows.Entry] = []
        for path in settings.files {
            let list = list(path, read)
            faults += list.faults
            // The layout of LiteLLM has no dates; a file of ours may hold a model twice.
            if !path.hasSuffix(".json") {
                dated += list.rows.map { DatedRows.Entry(file: path, row: $0) }
            }
            parts.append((PriceBook.Origin(name: path, timestamp: now), list.rows))
        }
        faults += DatedRows.overlaps(dated)
        if !stored.isEmpty {
            parts.append((PriceBook.Origin(name: PriceBook.storedName, timestamp: now), stored))
        }
        if !settings.resources.isEmpty {
            parts.append(
                (
                    PriceBook.Origin(name: "pricing.resources", timestamp: now),
                    settings.resourceRows
                ))
        }
        return Loaded(
            book: PriceBook(lists: parts, aliases: settings.aliases), faults: faults)
    }

    private static func list(_ path: String, _ read: (String) -> Content) -> PriceList {
        switch read(path) {
        case .unreadable(let cause):
            var list = PriceList(name: path)
            list.faults = [PriceFault(file: path, message: "cannot read it: \(cause)")]
            return list
        case .bytes(let bytes):
            return path.hasSuffix(".json")
                ? LiteLLMFile.read(bytes, name: path) : YAMLPriceFile.read(bytes, name: path)
        }
    }
}

/// Rows of one model must not be in force at the same time.
public enum DatedRows {
    public struct Entry: Sendable {
        public var file: String
        public var row: PriceRow

        public init(file: String, row: PriceRow) {
            self.file = file
            self.row = row
        }
    }

    public static func overlaps(_ entries: [Entry]) -> [PriceFault] {
        var earlier: [String: [Entry]] = [:]
        var faults: [PriceFault] = []
        for entry in entries {
            let key = entry.row.key.lowercased()
            for other in earlier[key] ?? []
            where other.row.validFrom < entry.row.validTo
                && entry.row.validFrom < other.row.validTo
            {
                faults.append(
                    PriceFault(
                        file: entry.file, model: entry.row.key, key: "valid_from",
                        message: "in force together with a row of \(other.file); "
                            + "end that one with valid_to"))
            }
            earlier[key, default: []].append(entry)
        }
        return faults
    }
}
