// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import Testing

@testable import VNC

/// Keys and pointer, from the viewer to the guest.
@Suite(.serialized) struct InputTests {
  @Test func `extended keys arrive as they are`() throws {
    let stage = try Stage()
    defer { stage.stop() }
    let client = try stage.viewer([0, -258])
    #expect(try client.update().map(\.encoding) == [-258])
    for code: UInt32 in [0x1E, 0x9C, 0xC8, 0xE04B, 0x54, 0xC6] {
      try client.extendedKey(code, true)
      try client.extendedKey(code, false)
    }
    try stage.wait { stage.keyboard.events.count == 12 }
    #expect(
      stage.machine { stage.keyboard.events } == [
        0x1E, -0x1E, 0x9C, -0x9C, 0xC8, -0xC8, 0xCB, -0xCB, 0xB7, -0xB7, 0xC6, -0xC6,
      ])
  }

  @Test func `plain keys are found in the layout`() throws {
    let stage = try Stage()
    defer { stage.stop() }
    let client = try stage.viewer()
    // 'a', then 'A' and '(' without Shift.
    for keysym: UInt32 in [0x61, 0x41, 0x28] {
      try client.key(keysym, true)
      try client.key(keysym, false)
    }
    try stage.wait { stage.keyboard.events.count == 10 }
    #expect(
      stage.machine { stage.keyboard.events }
        == [0x1E, -0x1E, 0x2A, 0x1E, -0x2A, -0x1E, 0x2A, 0x0A, -0x2A, -0x0A])
  }

  @Test func `keys and buttons are released when the viewer goes`() throws {
    let stage = try Stage()
    defer { stage.stop() }
    do {
      let client = try stage.viewer()
      try client.key(0xFFE3, true)
      try client.key(0xFFE9, true)
      try client.pointer(1, 10, 10)
      try stage.wait { stage.keyboard.events.count == 2 && stage.pointer.movements.count == 1 }
    }
    try stage.wait { stage.keyboard.events.count == 4 && stage.pointer.movements.count == 2 }
    #expect(stage.machine { stage.keyboard.events } == [0x1D, 0x38, -0x1D, -0x38])
    #expect(stage.machine { stage.pointer.movements.map(\.buttons) } == [.left, []])
  }

  @Test func `positions become movements for a mouse`() throws {
    let stage = try Stage()
    defer { stage.stop() }
    let client = try stage.viewer()
    try client.pointer(0, 50, 50)
    try client.pointer(1, 60, 45)
    try client.pointer(4, 60, 45)
    try client.pointer(0x10, 60, 45)
    try client.pointer(0, 60, 45)
    try client.pointer(0x10, 60, 45)
    try client.pointer(0, 60, 45)
    try stage.wait { stage.pointer.movements.reduce(0) { $0 + $1.wheel } == 2 }
    let movements = stage.machine { stage.pointer.movements }
    #expect(movements.reduce(0) { $0 + $1.x } == 10)
    #expect(movements.reduce(0) { $0 + $1.y } == -5)
    #expect(movements.contains { $0.buttons == .left })
    #expect(movements.contains { $0.buttons == .right })
  }

  @Test func `more buttons come from viewers that have them`() throws {
    let stage = try Stage()
    defer { stage.stop() }
    let client = try stage.viewer([0, -316])
    #expect(try client.update().map(\.encoding) == [-316])
    try client.send([5, 0x81, 0, 10, 0, 10, 2])
    try client.send([5, 0x80, 0, 10, 0, 10, 1])
    try client.pointer(0, 10, 10)
    try stage.wait { stage.pointer.movements.count == 3 }
    #expect(stage.machine { stage.pointer.movements.map(\.buttons) } == [[.left, .extra], .side, []])
    // Viewers cannot send what the server uses inside.
    try client.send([255, 0xFE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    #expect(try client.receiveAll().isEmpty)
  }

  @Test func `a tablet gets positions over the whole range`() throws {
    let stage = try Stage()
    defer { stage.stop() }
    stage.machine {
      stage.pointer.isAbsolute = true
      stage.input.pointerModeChanged()
    }
    let client = try stage.viewer()
    try client.pointer(0, 0, 0)
    try client.pointer(1, 159, 99)
    try client.pointer(0, 65535, 65535)
    try stage.wait { stage.pointer.positions.count >= 3 }
    #expect(
      stage.machine { stage.pointer.positions } == [
        .init(x: 0, y: 0), .init(x: 0x7FFF, y: 0x7FFF, buttons: .left), .init(x: 0x7FFF, y: 0x7FFF),
      ])
  }

  @Test func `a viewer that knows movements is told and sends them`() throws {
    let stage = try Stage()
    defer { stage.stop() }
    let client = try stage.viewer([0, -257])
    #expect(try client.update().map { [$0.encoding, Int32($0.x)] } == [[-257, 0]])
    try client.pointer(0, 0x7FFF + 5, 0x7FFF - 7)
    try stage.wait { stage.pointer.movements.count == 1 }
    #expect(stage.machine { stage.pointer.movements } == [.init(x: 5, y: -7)])
    stage.machine {
      stage.pointer.isAbsolute = true
      stage.input.pointerModeChanged()
    }
    try client.request(incremental: false)
    var seen: [Int32] = []
    for _ in 0..<20 where !seen.contains(-257) {
      let rectangles = try client.update()
      seen += rectangles.map(\.encoding)
      if rectangles.contains(where: { $0.encoding == 0 }) { try client.request(incremental: true) }
      if let change = rectangles.first(where: { $0.encoding == -257 }) { #expect(change.x == 1) }
    }
    #expect(seen.contains(-257))
  }

  @Test func `the lights of the keyboard reach the viewer`() throws {
    let stage = try Stage()
    defer { stage.stop() }
    stage.machine { stage.input.setLEDs([.capsLock]) }
    let client = try stage.viewer([0, -261])
    #expect(try client.update().first?.data == [4])
  }

  @Test func `a flood of movements is merged`() throws {
    let stage = try Stage()
    defer { stage.stop() }
    stage.machine {
      for step in 1...5000 { stage.input.movePointer(dx: 1, dy: step & 1, buttons: []) }
    }
    try stage.wait { !stage.pointer.movements.isEmpty }
    #expect(stage.machine { stage.pointer.movements } == [.init(x: 5000, y: 2500)])
  }

  @Test func `a flood of keys ends with all released`() throws {
    let stage = try Stage()
    defer { stage.stop() }
    stage.machine {
      for step in 0..<5000 { stage.input.key(KeyCode(rawValue: UInt8(step % 80 + 1)), isDown: true) }
    }
    try stage.wait { !stage.keyboard.events.isEmpty }
    let events = stage.machine { stage.keyboard.events }
    #expect(events.count == InputRouter.capacity + 80)
    #expect(Set(events.suffix(80)) == Set((1...80).map { -$0 }))
  }
}
