// What a network library of the Arduino API extends, for a syntax check by the compiler of the host.
#pragma once
#include <Arduino.h>

struct Client : Stream {};
