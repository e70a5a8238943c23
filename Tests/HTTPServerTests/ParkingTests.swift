import Synchronization
import TestSupport
import Testing
import Threading

@testable import HTTPServer

@Suite(.timeLimit(.minutes(1))) struct ParkingTests {
    @Test func `an answer given later reaches its client`() async throws {
        let parking = try ParkingServer()
        let client = try parking.client()
        for number in 0..<3 {
            try client.send(Array("GET /wait/\(number) HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
            for exchange in try await parking.handler.take(1) {
                parking.handler.respond(to: exchange)
            }
            #expect(try client.answer().text == "/wait/\(number)")
        }
    }

    @Test func `more may wait than have a place, and others are served meanwhile`() async throws {
        let parking = try ParkingServer()
        let count = ServerLoop.placesMax + 50
        let clients = try (0..<count).map { _ in try parking.client() }
        for (number, client) in clients.enumerated() {
            try client.send(Array("GET /wait/\(number) HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        }
        let exchanges = try await parking.handler.take(count)
        #expect(try parking.client().request("GET", "/now").text == "/now")
        for exchange in exchanges.reversed() { parking.handler.respond(to: exchange) }
        for (number, client) in clients.enumerated() {
            #expect(try client.answer().text == "/wait/\(number)")
        }
    }

    @Test func `its handler is told when requests are read together`() async throws {
        let parking = try ParkingServer()
        try parking.makeRounds(10)
        #expect(parking.handler.strays.load(ordering: .relaxed) == 0)
        while parking.handler.isInRound.load(ordering: .relaxed) {
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    @Test func `there are so many places and no more`() {
        let loop = ServerLoop(mayWatch: true)
        for _ in 0..<ServerLoop.placesMax { #expect(loop.takePlace()) }
        #expect(!loop.takePlace())
        loop.leavePlace()
        #expect(loop.takePlace())
    }

    @Test func `it looks for answers before it sleeps when many wait, and not for ever`() throws {
        let loop = ServerLoop(mayWatch: true)
        let pipe = WakePipe()
        for _ in 1..<ServerLoop.watchedPlacesMin { #expect(loop.takePlace()) }
        #expect(!loop.watch(pipe.file, unless: 0) && loop.looks == 0)
        #expect(loop.takePlace())
        #expect(!loop.watch(pipe.file, unless: 0) && loop.looks == ServerLoop.looksMax)
        pipe.wake()
        #expect(loop.watch(pipe.file, unless: 0) && loop.looks == ServerLoop.looksMax + 1)
        pipe.drain()
        loop.noteAnswer()
        #expect(loop.watch(pipe.file, unless: 0) && loop.looks == ServerLoop.looksMax + 2)
    }

    @Test func `where processor time is short it sleeps at once`() {
        let loop = ServerLoop(mayWatch: false)
        for _ in 0..<ServerLoop.placesMax { #expect(loop.takePlace()) }
        loop.noteAnswer()
        #expect(!loop.watch(WakePipe().file, unless: 0) && loop.looks == 0)
    }

    /// How many rounds, each with a new request, until held answers go out.
    private func rounds(held: Int) -> Int {
        let loop = ServerLoop(mayWatch: true)
        loop.noteRequest()
        loop.beginRound()
        loop.held = held
        var round = 0
        repeat {
            loop.noteRequest()
            loop.beginRound()
            round += 1
        } while !loop.isReleasing
        return round
    }

    @Test func `held answers go out when no more requests come, or many, or some rounds are over`()
    {
        let loop = ServerLoop(mayWatch: true)
        loop.noteRequest()
        loop.beginRound()
        #expect(!loop.isReleasing)
        loop.held = 1
        loop.beginRound()
        #expect(loop.isReleasing)
        #expect(rounds(held: 1) == ServerLoop.roundsHeldMax)
        #expect(rounds(held: ServerLoop.heldMax - 1) == ServerLoop.roundsHeldMax)
        #expect(rounds(held: ServerLoop.heldMax) == 1)
    }

    @Test func `who waits for many rounds is suspended, and answered all the same`() async throws {
        let parking = try ParkingServer()
        let client = try parking.client()
        try client.send(Array("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        let exchange = try #require(try await parking.handler.take(1).first)
        try parking.makeRounds(Int(ServerLoop.roundsInPlaceMax) + 2)
        #expect(exchange.parking.load(ordering: .acquiring) == .suspended)
        parking.handler.respond(to: exchange)
        #expect(try client.answer().text == "/wait")
    }

    @Test func `answers race with the step from in place to suspended`() async throws {
        let parking = try ParkingServer()
        let clients = try (0..<8).map { _ in try parking.client() }
        for round in 0..<40 {
            for client in clients {
                try client.send(Array("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
            }
            let exchanges = try await parking.handler.take(clients.count)
            async let rounds: Void = parking.makeRounds(Int(ServerLoop.roundsInPlaceMax) - 10)
            for exchange in exchanges {
                try await Task.sleep(for: .microseconds(round * 20))
                parking.handler.respond(to: exchange)
            }
            for client in clients { #expect(try client.answer().text == "/wait") }
            try await rounds
        }
    }

    @Test func `a client that goes away gives its place back`() async throws {
        let parking = try ParkingServer()
        for _ in 0..<2 * ServerLoop.placesMax {
            let client = try parking.client()
            try client.send(Array("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
            let exchanges = try await parking.handler.take(1)
            client.hangUp()
            // Its connection is closed in a round after this one.
            try parking.makeRounds(2)
            for exchange in exchanges { parking.handler.respond(to: exchange) }
        }
        parking.server.stop()
        #expect(parking.server.loop.places == 0)
    }

    @Test func `a client that sends no more still gets its answer`() async throws {
        let parking = try ParkingServer()
        for _ in 0..<2 * ServerLoop.placesMax {
            let client = try parking.client()
            try client.send(Array("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
            client.endSending()
            let exchange = try #require(try await parking.handler.take(1).first)
            parking.handler.respond(to: exchange)
            #expect(try client.answer().text == "/wait")
        }
    }

    @Test func `what was answered before the stop still goes out`() async throws {
        let parking = try ParkingServer()
        let clients = try (0..<20).map { _ in try parking.client() }
        for client in clients {
            try client.send(Array("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        }
        let exchanges = try await parking.handler.take(clients.count)
        parking.server.stopAccepting()
        for exchange in exchanges { parking.handler.respond(to: exchange) }
        parking.server.stop()
        for client in clients { #expect(try client.answer().text == "/wait") }
    }
}
