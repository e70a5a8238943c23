internal import API
internal import Configuration
internal import Glibc
internal import Intake
internal import Ledger
internal import Logging
public import PriceFiles
internal import Pricing
internal import SQLite
internal import Synchronization
internal import Usage
internal import Wire

/// The prices in force, and where they come from. A bad reload keeps the last good ones.
final class Prices: Sendable {
    private struct State {
        var settings: PricingSettings
        var isCurrent = true
        /// Rows that were stored through the API.
        var stored = StoredPrices()
    }

    let pricer: Pricer
    private let state: Mutex<State>
    private let time: any TimeSource
    private let log: Logger

    init(
        settings: PricingSettings, names: Names, time: any TimeSource, log: Logger
    ) throws(SidecarError) {
        self.time = time
        self.log = log
        let loaded = Self.load(settings, [], time)
        if let fault = Self.refusal(of: loaded, settings) {
            throw SidecarError(description: fault)
        }
        for fault in loaded.faults { log.warn("a doubtful price", ("price", fault.description)) }
        pricer = Pricer(book: loaded.book, policy: settings.policy, names: names)
        state = Mutex(State(settings: settings))
    }

    /// False once a reload has failed, until one succeeds.
    var isCurrent: Bool { state.withLock { $0.isCurrent } }

    /// Lists that were read and are not in force yet.
    struct Lists {
        fileprivate let settings: PricingSettings
        fileprivate let loaded: PriceCatalogue.Loaded
        fileprivate let stored: StoredPrices
    }

    /// Reads the lists of `settings`, or tells why those in force stay.
    func read(_ settings: PricingSettings) -> Result<Lists, SidecarError> {
        let stored = stored
        let loaded = Self.load(settings, stored.rows, time)
        if let fault = Self.refusal(of: loaded, settings) {
            state.withLock { $0.isCurrent = false }
            log.error("the prices were not read again; the last good ones stay", ("fault", fault))
            return .failure(SidecarError(description: fault))
        }
        return .success(Lists(settings: settings, loaded: loaded, stored: stored))
    }

    /// Takes what was read into force.
    func take(_ lists: Lists) {
        let (settings, loaded) = (lists.settings, lists.loaded)
        for fault in loaded.faults { log.warn("a doubtful price", ("price", fault.description)) }
        state.withLock { state in
            state.settings = settings
            state.isCurrent = true
            // Somebody may have stored others meanwhile.
            let book =
                state.stored == lists.stored
                ? loaded.book
                : loaded.book.replacing(
                    stored: state.stored.rows, timestamp: time.unixNanos / 1_000_000_000)
            pricer.replace(book: book, policy: settings.policy)
        }
    }

    /// The rows that came through the API, as the store has them.
    var stored: StoredPrices { state.withLock { $0.stored } }

    /// Reads the rows that came through the API back.
    func restore(from path: String) throws(SidecarError) {
        do throws(SQLiteError) {
            let database = try Database(path: path, mode: .readOnly)
            let (stored, unreadable) = try StoredPricesTable.read(from: database)
            for key in unreadable { log.warn("a stored price cannot be read", ("model", key)) }
            if !stored.prices.isEmpty { adopt(stored) }
        } catch {
            throw SidecarError(description: "\(path): \(error.description)", mayPass: true)
        }
    }

    /// Takes other stored rows into force beside the files as they were last read.
    func adopt(_ stored: StoredPrices) {
        state.withLock { state in
            state.stored = stored
            let book = pricer.book.replacing(
                stored: stored.rows, timestamp: time.unixNanos / 1_000_000_000)
            pricer.replace(book: book, policy: state.settings.policy)
        }
    }

    private static func load(
        _ settings: PricingSettings, _ stored: [PriceRow], _ time: any TimeSource
    ) -> PriceCatalogue.Loaded {
        PriceCatalogue.load(
            settings, stored: stored, now: time.unixNanos / 1_000_000_000,
            read: PriceFileReader.read)
    }

    /// All faults, one a line, unless rows with faults are to be left out.
    static func refusal(of loaded: PriceCatalogue.Loaded, _ settings: PricingSettings) -> String? {
        guard !settings.isLenient, !loaded.errors.isEmpty else { return nil }
        return loaded.errors.map(\.description).joined(separator: "\n")
    }
}

extension Configuration {
    var intake: IntakeSettings {
        IntakeSettings(
            defaultTenant: defaultTenant, refusesUnpriced: pricing.policy.unknown == .reject)
    }
}

public enum PriceFileReader {
    /// The whole file, up to `PriceCatalogue.fileBytesMax`.
    public static func read(_ path: String) -> PriceCatalogue.Content {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return .unreadable(cause: unsafe String(cString: strerror(errno))) }
        defer { close(file) }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 256 * 1024)
        while content.count <= PriceCatalogue.fileBytesMax {
            let count = unsafe Glibc.read(file, &chunk, chunk.count)
            if count < 0 { return .unreadable(cause: unsafe String(cString: strerror(errno))) }
            if count == 0 { return .bytes(content) }
            content.append(contentsOf: chunk.prefix(count))
        }
        return .unreadable(cause: "it has more than \(PriceCatalogue.fileBytesMax) bytes")
    }
}

extension Sidecar {
    /// What `/v1/prices` works with.
    static func priceServices(
        _ prices: Prices, _ names: Names, _ hash: SeededHash, _ ledger: Ledger,
        _ unpriced: UnpricedAlerts
    ) -> PriceServices {
        let pricer = prices.pricer
        return PriceServices(
            book: { pricer.book }, stored: { prices.stored }, adopt: { prices.adopt($0) },
            repricing: Repricing(names: names, hash: hash, ledger: ledger) {
                pricer.price(&$0, $1)
            },
            endAlerts: { database throws(SQLiteError) in
                try unpriced.endPriced(in: ledger, from: database)
            })
    }
}
