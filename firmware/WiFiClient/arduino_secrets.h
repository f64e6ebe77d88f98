// Settings that must stay private. Do not publish this file once it is filled in.
#define SECRET_SSID "name of the network"
#define SECRET_PASS "password of the network"
#define SECRET_SERVER "192.168.1.10"  // the computer that runs serial-ws; it shows this address
#define SECRET_SERVER_PORT 8080
#define SECRET_TOKEN "token"          // the part after token= in the address that serial-ws shows
