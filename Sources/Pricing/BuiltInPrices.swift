internal import PriceData

/// The price list that travels inside the binary; see NOTICE in LICENSE for its sources.
public enum BuiltInPrices {
    public static let name = "built-in"
    /// 2026-11-20T00:00:00Z, the day on which the list was checked.
    public static let timestamp: Int64 = 1_795_132_800

    public static func list() -> PriceList {
        let bytes = unsafe UnsafeBufferPointer(
            start: costgauge_price_data_start(), count: costgauge_price_data_size)
        return LiteLLMFile.read(unsafe Array(bytes), name: name)
    }

    /// The list as a part of a book.
    public static func part() -> (origin: PriceBook.Origin, rows: [PriceRow]) {
        (PriceBook.Origin(name: name, timestamp: timestamp), list().rows)
    }

    public static func book() -> PriceBook {
        PriceBook(lists: [part()])
    }
}
