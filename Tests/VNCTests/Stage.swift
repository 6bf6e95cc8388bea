// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import EventLoop
import Foundation
import Logging
import Testing

@testable import VNC

/// A machine without a guest: an event loop on a thread, a screen to draw on, and recorders for input.
final class Stage: @unchecked Sendable {
  // Unchecked: `drawing` and the recorders are guarded by the machine's lock.
  let lock = MachineLock()
  let loop: EventLoop
  let surface: DisplaySurface
  let input: InputRouter
  let keyboard = KeyRecorder()
  let pointer = PointerRecorder()
  let source: Painter
  private(set) var server: VNCServer
  private let finished = DispatchSemaphore(value: 0)

  init(_ configuration: VNCConfiguration, width: Int = 160, height: Int = 100) throws {
    let loop = try EventLoop(lock: lock)
    self.loop = loop
    surface = DisplaySurface(width: width, height: height)
    input = InputRouter(loop: loop)
    source = Painter(surface)
    input.attach(keyboard: keyboard)
    input.attach(pointer: pointer)
    server = try VNCServer(
      configuration: configuration, surface: surface, source: source, input: input, loop: loop, name: "stage",
      log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let finished = finished
    Thread.detachNewThread {
      loop.run()
      finished.signal()
    }
    try server.start()
  }

  /// One on loopback, at a free port.
  convenience init(
    width: Int = 160, height: Int = 100, _ change: (inout VNCConfiguration) -> Void = { _ in }
  ) throws {
    var configuration = VNCConfiguration(address: .tcp(host: "127.0.0.1", port: 0))
    change(&configuration)
    try self.init(configuration, width: width, height: height)
  }

  func stop() {
    server.stop()
    loop.stop()
    finished.wait()
  }

  /// A viewer that has shaken hands.
  func viewer(_ encodings: [Int32] = [0], password: String? = nil, shared: Bool = true) throws -> RFBClient {
    let client = try RFBClient(port: server.port ?? 0)
    try client.handshake(password: password, shared: shared)
    try client.setEncodings(encodings)
    return client
  }

  /// Runs on the machine's side.
  func machine<Result>(_ body: () throws -> Result) rethrows -> Result { try lock.withLock(body) }

  /// Fills a rectangle at the next refresh.
  func draw(_ rectangle: PixelRectangle, _ color: UInt32) {
    machine { source.pending.append((rectangle, color)) }
  }

  /// Waits until `condition`, looked at with the machine's lock held, is true.
  func wait(_ what: String = "", until condition: () -> Bool) throws {
    for _ in 0..<2000 {
      if machine(condition) { return }
      usleep(5000)
    }
    throw RFBClient.Failure(description: "waited in vain: \(what)")
  }
}

/// Draws rectangles when asked to.
final class Painter: DisplaySource {
  private let surface: DisplaySurface
  var pending: [(PixelRectangle, UInt32)] = []
  private(set) var refreshCount = 0

  init(_ surface: DisplaySurface) { self.surface = surface }

  func refresh(all: Bool) {
    refreshCount += 1
    let work = pending
    pending = []
    for (rectangle, color) in work {
      surface.lock.withLock {
        for y in rectangle.y..<rectangle.y + rectangle.height {
          for x in rectangle.x..<rectangle.x + rectangle.width {
            surface.pixels[y * surface.stride + x] = color
          }
        }
      }
      surface.changed(rectangle)
    }
  }
}

final class KeyRecorder: KeyboardSink {
  /// Scan codes, negative when released.
  var events: [Int] = []
  func key(_ code: KeyCode, isDown: Bool) { events.append(isDown ? Int(code.rawValue) : -Int(code.rawValue)) }
}

final class PointerRecorder: PointerSink {
  struct Event: Equatable {
    var x: Int
    var y: Int
    var wheel = 0
    var buttons: PointerButtons = []
  }
  var isAbsolute = false
  var movements: [Event] = []
  var positions: [Event] = []
  func move(dx: Int, dy: Int, wheel: Int, buttons: PointerButtons) {
    movements.append(Event(x: dx, y: dy, wheel: wheel, buttons: buttons))
  }
  func move(toX x: Int, y: Int, wheel: Int, buttons: PointerButtons) {
    positions.append(Event(x: x, y: y, wheel: wheel, buttons: buttons))
  }
}
