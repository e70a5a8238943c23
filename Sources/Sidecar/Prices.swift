internal import API
internal import Configuration
internal import Glibc
internal import Ledger
internal import Logging
public import PriceFiles
internal import Pricing
internal import Synchronization
internal import Usage
internal import Wire

/// The prices in force, and where they come from. A bad reload keeps the last good ones.
final class Prices: Sendable {
    private struct State {
        var settings: PricingSettings
        var isCurrent = true
        /// Rows that were stored through the API.
        var stored: [PriceRow]
    }

    let pricer: Pricer
    private let state: Mutex<State>
    private let time: any TimeSource
    private let log: Logger

    init(
        settings: PricingSettings, stored: [PriceRow], names: Names, time: any TimeSource,
        log: Logger
    ) throws(SidecarError) {
        self.time = time
        self.log = log
        let loaded = Self.load(settings, stored, time)
        if let fault = Self.refusal(of: loaded, settings) {
            throw SidecarError(description: fault)
        }
        for fault in loaded.faults { log.warn("a doubtful price", ("price", fault.description)) }
        pricer = Pricer(book: loaded.book, policy: settings.policy, names: names)
        state = Mutex(State(settings: settings, stored: stored))
    }

    /// False once a reload has failed, until one succeeds.
    var isCurrent: Bool { state.withLock { $0.isCurrent } }

    /// Takes the lists of `settings` into force, or keeps those that are and answers why.
    func reload(_ settings: PricingSettings) -> String? {
        let stored = state.withLock { $0.stored }
        let loaded = Self.load(settings, stored, time)
        if let fault = Self.refusal(of: loaded, settings) {
            state.withLock { $0.isCurrent = false }
            log.error("the prices were not read again; the last good ones stay", ("fault", fault))
            return fault
        }
        for fault in loaded.faults { log.warn("a doubtful price", ("price", fault.description)) }
        pricer.replace(book: loaded.book, policy: settings.policy)
        state.withLock {
            $0.settings = settings
            $0.isCurrent = true
        }
        return nil
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
        _ pricer: Pricer, _ names: Names, _ hash: SeededHash, _ ledger: Ledger
    ) -> PriceServices {
        PriceServices(
            book: { pricer.book },
            repricing: Repricing(names: names, hash: hash, ledger: ledger) {
                pricer.price(&$0, $1)
            })
    }
}
